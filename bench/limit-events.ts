import { randomUUID } from "node:crypto";
import { NAMESPACE } from "./contender.ts";
import type { Flow } from "./workloads.ts";

/** From here on a tree gives way to counts, as in the product. */
const TREE_LIMIT = 4_096;

interface Publisher {
  publish(subject: string, data: Uint8Array): void;
}

interface Part {
  readonly id: string;
  text: string;
}

/**
 * What subscribers are owed: an event for each change of status, with the state of the flow in
 * it, as cheaply as plain strings make it. Each task is written once for each of its changes; an
 * event joins what is there.
 */
export class LimitEvents {
  readonly #client: Publisher;
  readonly #flow: Flow;
  readonly #subject: string;
  readonly #stages: { readonly id: string; status: string; left: number; readonly tasks: Part[] }[];
  readonly #total: number;
  readonly #isLarge: boolean;
  #status = "WAITING";
  #settled = 0;
  #seq = 0;

  constructor(client: Publisher, flow: Flow) {
    this.#client = client;
    this.#flow = flow;
    this.#subject = `${NAMESPACE}.taskflow.events.${flow.id}`;
    this.#total = flow.stages.reduce((sum, jobs) => sum + jobs.length, 0);
    this.#isLarge = this.#total * 110 + flow.stages.length * 120 > TREE_LIMIT;
    this.#stages = flow.stages.map((jobs) => ({
      id: randomUUID(),
      status: "WAITING",
      left: jobs.length,
      tasks: jobs.map(({ index }) => ({ id: randomUUID(), text: taskText(index, "WAITING", "") })),
    }));
    this.#publish("TASKFLOW", '"taskflowStatus":"WAITING"');
  }

  started(stage: number, index: number): void {
    if (this.#status === "WAITING") this.#changeFlow("RUNNING");
    if (this.#stages[stage]!.status === "WAITING") this.#changeStage(stage, "RUNNING");
    this.#changeTask(stage, index, "RUNNING", "null");
  }

  succeeded(stage: number, index: number, answer: string): void {
    this.#settled++;
    this.#changeTask(stage, index, "SUCCESS", answer);
    if (--this.#stages[stage]!.left === 0) this.#changeStage(stage, "COMPLETED");
  }

  ended(): void {
    this.#changeFlow("COMPLETED");
  }

  #changeFlow(status: string): void {
    this.#status = status;
    this.#publish("TASKFLOW", `"taskflowStatus":"${status}"`);
  }

  #changeStage(index: number, status: string): void {
    const stage = this.#stages[index]!;
    stage.status = status;
    this.#publish("STAGE", `"stageId":"${stage.id}","stageStatus":"${status}"`);
  }

  #changeTask(stageIndex: number, index: number, status: string, answer: string): void {
    const stage = this.#stages[stageIndex]!;
    const task = stage.tasks[index]!;
    if (!this.#isLarge) task.text = taskText(index, status, answer === "null" ? "" : `,"response":${answer}`);
    const data = `"attempt":0,"stageId":"${stage.id}","taskId":"${task.id}","taskStatus":"${status}","taskResponse":${answer}`;
    this.#publish("TASK", data);
  }

  #publish(type: string, data: string): void {
    const { id } = this.#flow;
    const seq = ++this.#seq;
    const head = `{"eventType":"${type}","seq":${seq},"timestamp":${Date.now()},"data":{"taskflowId":"${id}",${data}`;
    this.#client.publish(this.#subject, Buffer.from(`${head},"taskflowObject":${this.#tree(seq)}}}`));
  }

  #tree(revision: number): string {
    const progress = Math.floor((100 * this.#settled) / this.#total);
    let text = `{"taskflowId":"${this.#flow.id}","name":"bench","status":"${this.#status}","retryAttempt":0,"revision":${revision},"progress":${progress}`;
    if (this.#isLarge) return `${text},"truncated":true,"counts":{"SUCCESS":${this.#settled},"total":${this.#total}}}`;
    let comma = ',"stages":{';
    for (const [index, { id, status, tasks }] of this.#stages.entries()) {
      text += `${comma}"${id}":{"name":"s${index}","status":"${status}","tasks":{`;
      text += tasks.map((task) => `"${task.id}":${task.text}`).join(",");
      text += "}}";
      comma = ",";
    }
    return `${text}}}`;
  }
}

const taskText = (index: number, status: string, response: string): string =>
  `{"name":"t${index}","status":"${status}","attempt":0${response}}`;
