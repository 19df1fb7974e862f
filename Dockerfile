# The image brings its own Node 24, so the `node` package that pins it for checkouts stays inert: install scripts do not
# run, and it is its script that would fetch the binary. Nothing else needs one (better-sqlite3 ships its binaries).
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts && rm -rf node_modules/node node_modules/.bin/node

FROM node:24-slim
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 SIGNALBOX_DB=/data/signalbox.db
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY src ./src
COPY commands ./commands
COPY adapters ./adapters
COPY migrations ./migrations
COPY examples ./examples
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# `docker run signalbox worker`, `docker run signalbox migrate`. A worker answers the health check where
# SIGNALBOX_HEALTH_PORT is the same as PORT.
ENTRYPOINT ["node", "src/main.ts"]
CMD ["start"]
