# syntax=docker/dockerfile:1

# The server and its demo, compiled: the image that runs it has neither its sources nor the compiler.
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
COPY client/package.json client/
COPY web/package.json web/
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
COPY client client
COPY web web
RUN node scripts/bundle.js server
# What the compiled server does not ask for: the compiler, what is there for development, and the other packages.
RUN npm prune --omit=dev --ignore-scripts && \
  rm -rf node_modules/typescript node_modules/@typescript node_modules/gravitycar-*

FROM node:24-bookworm-slim
LABEL org.opencontainers.image.title="Gravitycar Realtime"
LABEL org.opencontainers.image.licenses="MIT"
WORKDIR /app
COPY --from=build --chown=root:root /build/package.json /build/LICENSE* ./
COPY --from=build --chown=root:root /build/node_modules node_modules
COPY --from=build --chown=root:root /build/server server
# Only for an embedded database, which a container is no place for; a mounted volume can be put there.
RUN install -d -o node -g node -m 0700 /data
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000 DATA_DIR=/data DEMO_FILES=server/site
USER node
EXPOSE 4000
# Alive, not ready: a node whose database is away is not to be killed.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/live`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# No shell and no npm between: SIGTERM reaches the server itself, which drains.
CMD ["node", "--enable-source-maps", "server/main.js"]
