ARG ELIXIR_VERSION=1.16.0
ARG OTP_VERSION=26.2.1
ARG DEBIAN_VERSION=bullseye-20231009-slim
ARG BUILDER_IMAGE="hexpm/elixir:${ELIXIR_VERSION}-erlang-${OTP_VERSION}-debian-${DEBIAN_VERSION}"
ARG RUNNER_IMAGE="debian:${DEBIAN_VERSION}"

FROM ${BUILDER_IMAGE} as builder
WORKDIR /app
ENV MIX_ENV="prod"
COPY mix.exs mix.lock ./
COPY config/config.exs config/${MIX_ENV}.exs config/
COPY priv priv
COPY lib lib
RUN mix compile && mix release

FROM ${RUNNER_IMAGE}
ENV LANG en_US.UTF-8
WORKDIR "/app"
RUN chown nobody /app
ENV MIX_ENV="prod"
COPY --from=builder --chown=nobody:root /app/_build/${MIX_ENV}/rel/hello ./
USER nobody
CMD ["/app/bin/server"]
