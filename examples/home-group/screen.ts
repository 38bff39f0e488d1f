/**
 * The progress of a taskflow in a terminal: drawn in place where there is one, else (a pipe,
 * NO_COLOR, a window that is too small) as a line for each event. Nothing here knows how the
 * events came.
 */
import { writeSync } from "node:fs";
import picocolors from "picocolors";
import type { TaskflowDetails, TaskflowEvent } from "../../lib/index.ts";
import type { Progress, StageProgress, TaskProgress } from "./progress.ts";

const FRAME_MS = 80;
const SPINNER = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const BAR_WIDTH = 40;
const NAME_WIDTH = 24;
/** Lines of the drawing that are no task: bar, stages, notes. */
const OTHER_LINES = 9;
/** In a narrower window lines would wrap, and the drawing would not stay in its place. */
const LEAST_COLUMNS = 80;
const MAX_ERROR = 28;

const HIDE_CURSOR = "\u001B[?25l";
const SHOW_CURSOR = "\u001B[?25h";
/** Terminals that know it show the lines between the two at once; the others ignore it. */
const BEGIN_FRAME = "\u001B[?2026h";
const END_FRAME = "\u001B[?2026l";
const CLEAR_LINE = "\u001B[2K";

const up = (lines: number): string => (lines === 0 ? "" : `\u001B[${lines}A`);
const seconds = (ms: number): string => `${(Math.max(0, ms) / 1_000).toFixed(1)} s`;

/** Waits for the terminal: nothing is lost where the process ends, or is killed, right after it. */
function print(text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(process.stdout.fd, rest));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Nobody reads any more, as after `| head`.
      if (code === "EPIPE") process.exit(1);
      // A pipe that is full: its reader goes on in a moment.
      if (code !== "EAGAIN") throw error;
    }
  }
}

export class Screen {
  readonly isLive: boolean;
  readonly colors: ReturnType<typeof picocolors.createColors>;
  readonly #notes: string[] = [];
  #progress: Progress | undefined;
  #timer: NodeJS.Timeout | undefined;
  #drawnLines = 0;

  constructor() {
    const { NO_COLOR, TERM } = process.env;
    this.isLive = process.stdout.isTTY && !NO_COLOR && TERM !== "dumb";
    this.colors = picocolors.createColors(this.isLive);
  }

  /** A line of its own; below the drawing while there is one. */
  say(text = ""): void {
    if (this.#timer) this.#notes.push(text);
    else print(`${text}\n`);
  }

  /** Shows it from here on, until `end`. */
  begin(progress: Progress): void {
    this.#progress = progress;
    const { rows, columns } = process.stdout;
    if (!this.isLive || rows < progress.tasks.length + OTHER_LINES || columns < LEAST_COLUMNS) return;
    print(HIDE_CURSOR);
    process.once("exit", showCursor);
    this.#timer = setInterval(() => this.#draw(), FRAME_MS);
    this.#draw();
  }

  /** What an event says, where nothing is drawn. */
  tell(event: TaskflowEvent): void {
    if (this.#timer === undefined && this.#progress) print(`  ${lineOf(event, this.#progress)}\n`);
  }

  /** The last picture stays. */
  end(): void {
    if (this.#timer === undefined) return;
    this.#draw();
    clearInterval(this.#timer);
    this.#timer = undefined;
    process.off("exit", showCursor);
    showCursor();
  }

  #draw(): void {
    if (!this.#progress) return;
    const notes = this.#notes.length > 0 ? ["", ...this.#notes] : [];
    const lines = [...this.#picture(this.#progress, Date.now()), ...notes];
    const frame = lines.map((line) => `${CLEAR_LINE}${line}\n`).join("");
    print(`${BEGIN_FRAME}${up(this.#drawnLines)}${frame}${END_FRAME}`);
    this.#drawnLines = lines.length;
  }

  #picture(progress: Progress, now: number): string[] {
    const { bold, dim, green, cyan } = this.colors;
    const { settled, tasks, startedAt, finishedAt } = progress;
    const filled = Math.round((BAR_WIDTH * settled) / tasks.length);
    const bar = green("━".repeat(filled)) + dim("─".repeat(BAR_WIDTH - filled));
    const took = startedAt === null ? "" : dim(seconds((finishedAt ?? now) - startedAt));
    const lines = [
      "",
      `  ${bar}  ${bold(`${Math.floor((100 * settled) / tasks.length)} %`)}  ${settled} of ${tasks.length} tasks  ${took}`,
      "",
    ];
    for (const stage of progress.stages.values()) {
      const tone = stage.status === "RUNNING" ? cyan : stage.status === "WAITING" ? dim : bold;
      const name = tone(stage.name.padEnd(NAME_WIDTH + 2));
      lines.push(`  ${this.#symbol(stage.status, now)} ${name}${dim(stageTime(stage, now))}`);
      for (const task of stage.tasks.values()) lines.push(`    ${this.#taskLine(task, now)}`);
    }
    return lines;
  }

  #taskLine(task: TaskProgress, now: number): string {
    const { dim, red, yellow } = this.colors;
    const { status, attempt, maxRetries, nextAttemptAt, startedAt, finishedAt, error } = task;
    const isRetrying = nextAttemptAt !== null;
    const symbol = this.#symbol(isRetrying ? "RETRY_DELAY" : status, now);
    const name = task.name.padEnd(NAME_WIDTH);
    if (isRetrying) {
      const when = nextAttemptAt > now ? `in ${seconds(nextAttemptAt - now)}` : "is due";
      const next = `attempt ${attempt + 1} of ${maxRetries + 1} ${when}`;
      return `${symbol} ${name}${red(short(error))}${dim(" · ")}${yellow(next)}`;
    }
    if (startedAt === null) return dim(`${symbol} ${name}`);
    const tries = attempt > 1 ? yellow(`  attempt ${attempt} of ${maxRetries + 1}`) : "";
    const why = status === "FAILED" ? red(`  ${short(error)}`) : "";
    return `${symbol} ${name}${dim(seconds((finishedAt ?? now) - startedAt))}${tries}${why}`;
  }

  #symbol(status: string, now: number): string {
    const { green, red, yellow, cyan, dim } = this.colors;
    if (status === "RUNNING") return cyan(SPINNER[Math.floor(now / FRAME_MS) % SPINNER.length] ?? "");
    if (status === "SUCCESS" || status === "COMPLETED") return green("✔");
    if (status === "PARTIAL_COMPLETED") return yellow("◐");
    if (status === "RETRY_DELAY") return yellow("↻");
    if (status === "FAILED") return red("✘");
    if (status === "CANCELLED" || status === "SKIPPED") return dim("⊘");
    return dim("·");
  }

  /** How it ended, task by task. */
  summary(details: TaskflowDetails): void {
    const { bold, dim, green, red, yellow } = this.colors;
    const rule = dim(`  ${"─".repeat(72)}`);
    print(
      `\n  ${dim(`${"task".padEnd(NAME_WIDTH)}${"status".padEnd(10)}${"attempts".padStart(8)}${"took".padStart(9)}`)}\n${rule}\n`,
    );
    const tasks = Object.values(details.stages).flatMap((stage) => Object.values(stage.tasks));
    for (const { name, status, attempts, error } of tasks) {
      const tone = status === "SUCCESS" ? green : red;
      const took = (attempts.at(-1)?.finishedAt ?? 0) - (attempts[0]?.startedAt ?? 0);
      const failed = attempts.filter((attempt) => attempt.error);
      const notes = [
        ...(failed.length > 0 ? [`${failed.length} × ${failed[0]?.error?.message ?? error?.message ?? "failed"}`] : []),
        ...(attempts.some(({ deliveries }) => deliveries > 1) ? ["delivered again after the crash"] : []),
      ];
      const count = String(attempts.length).padStart(8);
      const figures = `${attempts.length > 1 ? yellow(count) : count}${seconds(took).padStart(9)}`;
      print(
        `  ${name.padEnd(NAME_WIDTH)}${tone(status.padEnd(10))}${figures}${notes.length > 0 ? dim(`  ${notes.join(", ")}`) : ""}\n`,
      );
    }
    const { status, startedAt, finishedAt } = details;
    const succeeded = tasks.filter((task) => task.status === "SUCCESS").length;
    const tone = status === "COMPLETED" ? green : red;
    const sum = `${succeeded} of ${tasks.length} tasks succeeded`;
    print(`${rule}\n  ${bold(tone(status))} in ${seconds((finishedAt ?? 0) - (startedAt ?? 0))}: ${sum}\n`);
  }
}

function short(error: string | null): string {
  return error === null || error.length <= MAX_ERROR ? (error ?? "") : `${error.slice(0, MAX_ERROR - 1)}…`;
}

function showCursor(): void {
  print(SHOW_CURSOR);
}

function stageTime({ startedAt, finishedAt }: StageProgress, now: number): string {
  return startedAt === null ? "" : seconds((finishedAt ?? now) - startedAt);
}

function lineOf(event: TaskflowEvent, progress: Progress): string {
  if (event.eventType === "SNAPSHOT") return "";
  const at = seconds(event.timestamp - (progress.startedAt ?? event.timestamp)).padStart(7);
  const head = `${at}  ${event.eventType.padEnd(9)}`;
  switch (event.eventType) {
    case "TASKFLOW":
      return `${head} ${progress.name.padEnd(NAME_WIDTH)}${event.data.taskflowStatus}`;
    case "STAGE":
      return `${head} ${(progress.stages.get(event.data.stageId)?.name ?? "").padEnd(NAME_WIDTH)}${event.data.stageStatus}`;
    case "TASK": {
      const task = progress.stages.get(event.data.stageId)?.tasks.get(event.data.taskId);
      return task ? `${head} ${task.name.padEnd(NAME_WIDTH)}${taskText(task)}` : head;
    }
  }
}

function taskText({ status, attempt, maxRetries, retryDelay, nextAttemptAt, error }: TaskProgress): string {
  const of = `of ${maxRetries + 1}`;
  if (nextAttemptAt !== null) return `RETRY_DELAY  ${error}: attempt ${attempt + 1} ${of} in ${seconds(retryDelay)}`;
  const tries = attempt > 1 ? `  attempt ${attempt} ${of}` : "";
  return `${status}${tries}${status === "FAILED" ? `  ${error}` : ""}`;
}
