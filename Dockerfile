# A node of any kind: a coordinator, or with another command a worker of the examples. Node runs the TypeScript as it is.
FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev && npm cache clean --force
COPY . .
# For a store in a file, and for the house of the examples: a volume that is mounted here belongs to `node` from the start.
RUN mkdir -p /data && chown node:node /data
USER node
ENV NODE_ENV=production TASKFLOW_STORE=sqlite:/data/taskflow.db
CMD ["node", "bin/start.ts"]
