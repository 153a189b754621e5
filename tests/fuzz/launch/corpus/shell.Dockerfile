ARG TAG=3.11
FROM --platform=$BUILDPLATFORM python:${TAG:-3}
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ADD https://example.com/x.tar.gz /x/
COPY <<FILE /run.sh
echo $HOME
FILE
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT exec python -m http.server ${PORT:-8000}
HEALTHCHECK CMD curl -f localhost
ONBUILD COPY . /x
LABEL a=b "c d"="e f"
