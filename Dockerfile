# docs/deploy.md tells how to run the image. The final stage has no shell, no npm and no curl.

FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build
RUN npm ci --omit=dev
# The image runs the Node that the lock file pins, which the tests ran on. Of the HTTP addon it needs one binary of twenty.
RUN mkdir -p /out/state \
    && mv node_modules/node-linux-*/bin/node /out/node \
    && rm -r node_modules/node-linux-* node_modules/.bin \
    && find node_modules/uWebSockets.js -name '*.node' ! -name "uws_linux_$(/out/node -p 'process.arch + "_" + process.versions.modules').node" -delete

# glibc, libstdc++ and libgcc are all that Node and the addon need; Node brings its own certificates.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/node /usr/local/bin/node
COPY package.json LICENSE /app/
COPY --from=build /app/node_modules /app/node_modules
COPY --from=build /app/dist /app/dist
COPY deploy/docker/sluice.yaml /etc/sluice/sluice.yaml
# The data folder is ./data of the working folder, for the gateway and for the commands that are run beside it.
COPY --from=build --chown=65532:65532 /out/state /var/lib/sluice
WORKDIR /var/lib/sluice
VOLUME /var/lib/sluice
ENV SLUICE_CONFIG=/etc/sluice
# glibc keeps freed memory in an arena a thread: two of them hold 10 MB less, and give more back after a storm.
ENV MALLOC_ARENA_MAX=2
USER 65532:65532
EXPOSE 8787 8788
# Not ready while it stops, and not before it serves. A gateway with another operator port needs another check.
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s --retries=3 \
    CMD ["node", "-e", "fetch('http://127.0.0.1:8788/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Node is process 1 and gets SIGTERM itself: it drains, and exits with 0.
ENTRYPOINT ["node", "/app/dist/main.js"]
CMD ["serve"]
