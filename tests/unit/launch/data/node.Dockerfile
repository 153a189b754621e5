# syntax = docker/dockerfile:1

ARG NODE_VERSION=20.11.0
FROM node:${NODE_VERSION}-slim AS base

LABEL fly_launch_runtime="Node.js"
WORKDIR /app
ENV NODE_ENV="production"

# Only this stage has compilers.
FROM base AS build
RUN apt-get update -qq && \
    apt-get install --no-install-recommends -y \
      # for native modules
      build-essential python3
COPY package-lock.json package.json ./
RUN npm ci --include=dev
COPY . .
RUN npm run build && npm prune --omit=dev

FROM base
COPY --from=build /app /app
EXPOSE 3000
ENTRYPOINT [ "/app/docker-entrypoint.js" ]
CMD [ "npm", "run", "start" ]
