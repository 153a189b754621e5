use Mojolicious::Lite;

get '/' => {text => "ok\n"};
app->start;
