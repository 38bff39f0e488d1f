/** URLs of NATS servers, as text. A refusal never repeats one, since it may hold a password. */
import type { Kind } from "../util/kind.ts";

const SCHEMES = ["nats:", "tls:"];

export const natsUrls: Kind<string> = {
  expects: "URLs such as nats://host:4222 or tls://user:password@host:4222, separated by commas",
  schema: { type: "string" },
  read: (given) => (typeof given === "string" && parseNatsUrls(given) !== undefined ? given : undefined),
  got: (given) => {
    const urls: unknown[] = typeof given === "string" ? textsOf(given) : [given].flat();
    return `: number ${urls.findIndex((url) => typeof url !== "string" || parseUrl(url) === null) + 1} is none`;
  },
};

/** Undefined if one of them is none. */
export function parseNatsUrls(text: string): URL[] | undefined {
  const urls = textsOf(text).map(parseUrl);
  return urls.every((url) => url !== null) ? urls : undefined;
}

function textsOf(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

function parseUrl(text: string): URL | null {
  const url = URL.parse(text.includes("://") ? text : `nats://${text}`);
  return url !== null && url.host !== "" && SCHEMES.includes(url.protocol) ? url : null;
}
