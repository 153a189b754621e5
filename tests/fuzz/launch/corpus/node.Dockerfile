FROM node:20-slim AS base
ARG PORT=8080
ENV PORT=${PORT} NODE_ENV=production
WORKDIR /app
COPY package*.json ./
RUN npm ci \
  --omit=dev
COPY . .
USER node
EXPOSE ${PORT}/tcp
CMD ["node", "server.js"]
