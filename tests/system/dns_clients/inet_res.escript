%% Erlang's inet_res. Arguments and output: ../test_dns_clients.py
main([Kind, Name | Rest]) ->
    Type = case Kind of "6" -> aaaa; "4" -> a; "txt" -> txt end,
    io:format("~s~n", [answer(Type, inet_res:resolve(Name, in, Type))]),
    main(Rest);
main([]) ->
    ok.

answer(Type, {ok, Message}) ->
    Data = [inet_dns:rr(Record, data) || Record <- inet_dns:msg(Message, anlist), inet_dns:rr(Record, type) =:= Type],
    case Data of
        [] -> "nodata";
        _ when Type =:= txt -> lists:append(Data);
        _ -> lists:join(",", [inet:ntoa(Address) || Address <- Data])
    end;
answer(_, {error, nxdomain}) -> "nxdomain";
answer(_, {error, {nxdomain, _}}) -> "nxdomain";
answer(_, {error, Reason}) -> io_lib:format("error ~p", [Reason]).
