# syntax=docker/dockerfile:1
# escape=`
FROM golang:1.22 AS build
WORKDIR /src
RUN <<EOF
go build -o /out/server .
EOF
FROM scratch
COPY --from=build --chown=1000:1000 /out/server /bin/server
COPY --from=0 ["/a b", "/c d/"]
ENTRYPOINT ["/bin/server"]
CMD ["-listen", ":8080"]
