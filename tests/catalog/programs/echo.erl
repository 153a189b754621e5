%% erlc echo.erl. Servers of gen_tcp and gen_udp; the options of listen and open are Erlang's own words.
-module(echo).
-export([tcp/2, udp/2, named/1]).

tcp(Port, Options) ->
    {ok, Listener} = gen_tcp:listen(Port, [binary, {active, false}, {packet, raw} | Options]),
    accept(Listener).

accept(Listener) ->
    {ok, Client} = gen_tcp:accept(Listener),
    case gen_tcp:recv(Client, 0, 2000) of
        {ok, _} -> gen_tcp:send(Client, <<"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n">>);
        _ -> ok
    end,
    gen_tcp:close(Client),
    accept(Listener).

udp(Port, Options) ->
    {ok, Socket} = gen_udp:open(Port, [binary, {active, false} | Options]),
    answer(Socket).

answer(Socket) ->
    {ok, {Address, Port, Text}} = gen_udp:recv(Socket, 0),
    gen_udp:send(Socket, Address, Port, Text),
    answer(Socket).

%% The options for a name of /etc/hosts, looked up as IPv6 or IPv4.
named({Family, Name}) ->
    {ok, Address} = inet:getaddr(Name, Family),
    [Family, {ip, Address}].
