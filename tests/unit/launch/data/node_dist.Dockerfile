FROM node:20-alpine AS build
WORKDIR /src
COPY package*.json tsconfig.json ./
RUN npm ci
COPY src ./src
RUN npm run build

FROM node:20-alpine
ENV NODE_ENV=production \
    PORT=8080
WORKDIR /srv/app
COPY --from=build /src/node_modules ./node_modules
COPY --from=build /src/dist ./dist
COPY --chown=node:node package.json .
USER node
EXPOSE 8080
HEALTHCHECK --interval=30s CMD wget -q -O- http://localhost:8080/health || exit 1
CMD ["node", "--enable-source-maps", "dist/server.js"]
