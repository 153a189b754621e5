require "sinatra"

get("/") { "ok\n" }
