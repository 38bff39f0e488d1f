# A node of any kind: a coordinator, or with another command a worker of the examples.
# Node runs the TypeScript as it is.
FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Moleculer and the drivers are peers, which the application brings. Here the image is the application:
# without the tools of development and with every peer required, npm ci installs what the lock names.
RUN npm pkg delete devDependencies peerDependenciesMeta && npm ci && npm cache clean --force
COPY . .
# For a store in a file, and for the house of the examples: a volume mounted here belongs to `node`
# from the start.
RUN mkdir -p /data && chown node:node /data
USER node
ENV NODE_ENV=production TASKFLOW_STORE=sqlite:/data/taskflow.db
CMD ["node", "bin/start.ts"]
