FROM debian:12 AS build
RUN apt-get update && apt-get install -y cmake g++ ninja-build
COPY . /src
WORKDIR /src
RUN cmake -B build -G Ninja && cmake --build build

FROM gcr.io/distroless/cc-debian12
COPY --from=build /src/build/server /server
EXPOSE 8080/tcp 5000/udp
ENTRYPOINT ["/server", "--port=8080"]
