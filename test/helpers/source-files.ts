/**
 * The repository as the tests of its own rules see it: its files, and what a TypeScript file
 * imports, exports and uses.
 */
import { parseSync } from "@swc/core";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { dirname, join, posix } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");

const NOT_OURS = new Set(["node_modules", ".git", "dist", "coverage", "data"]);
const NOT_TEXT = /\.(png|ico|gif|jpg|woff2|tgz|db|cpuprofile)$/;

/** Paths from the repository's root, with "/", of every text file that belongs to it. Sorted. */
export function repositoryFiles(folder = ""): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .flatMap((entry) => {
      if (NOT_OURS.has(entry.name)) return [];
      const path = posix.join(folder, entry.name);
      if (entry.isDirectory()) return repositoryFiles(path);
      return entry.isFile() && !NOT_TEXT.test(path) ? [path] : [];
    })
    .toSorted();
}

/**
 * The package's doors: what package.json exports, as others import it, with the file that it is
 * built from.
 */
export function packageDoors(): ReadonlyMap<string, string> {
  const { name, exports } = JSON.parse(readText("package.json")) as { name: string; exports: Record<string, unknown> };
  const doors = Object.entries(exports).flatMap(([subpath, target]): [string, string][] => {
    const built = typeof target === "object" && target !== null && "default" in target ? String(target.default) : "";
    const [, source] = /^\.\/dist\/(.+)\.js$/.exec(built) ?? [];
    return source === undefined ? [] : [[posix.join(name, subpath), `${source}.ts`]];
  });
  return new Map(doors);
}

const texts = new Map<string, string>();

export function readText(path: string): string {
  let text = texts.get(path);
  if (text === undefined) {
    text = readFileSync(join(ROOT, path), "utf8");
    texts.set(path, text);
  }
  return text;
}

export interface Import {
  /** As written: `./flow.ts`, `node:fs`, `moleculer`. */
  readonly specifier: string;
  /** Path of the file from the root, for a relative one; undefined for a package. */
  readonly path: string | undefined;
  /** Gone at run time. */
  readonly typeOnly: boolean;
}

interface SyntaxNode {
  readonly type: string;
  readonly [key: string]: unknown;
}

function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

const trees = new Map<string, SyntaxNode>();

function syntaxTree(path: string): SyntaxNode {
  let tree = trees.get(path);
  if (tree === undefined) {
    const parsed: unknown = parseSync(readText(path), { syntax: "typescript", tsx: path.endsWith(".tsx"), target: "es2024" });
    if (!isNode(parsed)) throw new Error(`${path} was parsed to something that is no syntax tree`);
    tree = parsed;
    trees.set(path, tree);
  }
  return tree;
}

/**
 * Every node of a file, without the names behind a dot and the keys of objects: `flow.process`
 * uses no `process`.
 */
function* nodesOf(value: unknown): Generator<SyntaxNode> {
  if (Array.isArray(value)) {
    for (const entry of value) yield* nodesOf(entry);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  if (isNode(value)) yield value;
  for (const [key, child] of Object.entries(value)) {
    const isName = (key === "property" || key === "key") && isNode(child) && child.type === "Identifier";
    if (!isName) yield* nodesOf(child);
  }
}

function textOf(node: unknown): string | undefined {
  return isNode(node) && typeof node.value === "string" ? node.value : undefined;
}

function allTypeOnly(node: SyntaxNode): boolean {
  if (node.typeOnly === true) return true;
  const specifiers: unknown = node.specifiers;
  if (!Array.isArray(specifiers) || specifiers.length === 0) return false;
  return specifiers.every((specifier) => isNode(specifier) && specifier.isTypeOnly === true);
}

function importOf(node: SyntaxNode): { specifier: string; typeOnly: boolean } | undefined {
  const imported = (source: unknown, typeOnly: boolean): { specifier: string; typeOnly: boolean } | undefined => {
    const specifier = textOf(source);
    return specifier === undefined ? undefined : { specifier, typeOnly };
  };
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
      return imported(node.source, allTypeOnly(node));
    case "TsImportType":
      return imported(node.argument, true);
    case "CallExpression": {
      const isImport = isNode(node.callee) && (node.callee.type === "Import" || textOf(node.callee) === "require");
      const first: unknown = Array.isArray(node.arguments) ? node.arguments[0] : undefined;
      if (!isImport || typeof first !== "object" || first === null || !("expression" in first)) return undefined;
      return imported(first.expression, false);
    }
    default:
      return undefined;
  }
}

/** Static, dynamic and type imports, and re-exports. */
export function importsOf(path: string): Import[] {
  return [...nodesOf(syntaxTree(path))].flatMap((node) => {
    const found = importOf(node);
    if (found === undefined) return [];
    const target = found.specifier.startsWith(".") ? posix.join(dirname(path), found.specifier) : undefined;
    return [{ ...found, path: target }];
  });
}

/** Files that are loaded when this one is loaded, itself included. */
export function loadedWith(path: string): Set<string> {
  const loaded = new Set<string>();
  const toVisit = [path];
  for (let file = toVisit.pop(); file !== undefined; file = toVisit.pop()) {
    if (loaded.has(file) || !existsSync(join(ROOT, file))) continue;
    loaded.add(file);
    if (!file.endsWith(".ts")) continue;
    for (const { path: target, typeOnly } of importsOf(file)) if (target !== undefined && !typeOnly) toVisit.push(target);
  }
  return loaded;
}

/**
 * Files that import one another in a circle, type imports counted: each circle as a list of its
 * files.
 */
export function circlesOf(paths: readonly string[]): string[][] {
  const circles: string[][] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) return void circles.push(trail.slice(start));
    if (done.has(path) || !path.endsWith(".ts") || !existsSync(join(ROOT, path))) return;
    for (const { path: target } of importsOf(path)) if (target !== undefined) visit(target, [...trail, path]);
    done.add(path);
  };
  for (const path of paths) visit(path, []);
  return circles;
}

/** Names that are used as values or types: variables, globals, type references. */
export function identifiersOf(path: string): Set<string> {
  return new Set([...nodesOf(syntaxTree(path))].flatMap((node) => (node.type === "Identifier" ? [textOf(node) ?? ""] : [])));
}

/** Things like `Math.random` or `it.only`: a name, a dot, a name. */
export function memberExpressionsOf(path: string): Set<string> {
  const members = [...nodesOf(syntaxTree(path))].filter((node) => node.type === "MemberExpression");
  return new Set(members.map((node) => `${textOf(node.object) ?? "?"}.${textOf(node.property) ?? "?"}`));
}

export function usesAny(path: string): boolean {
  return [...nodesOf(syntaxTree(path))].some((node) => node.type === "TsKeywordType" && node.kind === "any");
}

interface ExportedName {
  readonly name: string;
  /** Where it is declared. */
  readonly path: string;
  readonly localName: string;
}

/**
 * What a file exports, followed to the files that declare it. Names of packages that are passed
 * on are left out.
 */
export function exportsOf(path: string): ExportedName[] {
  const tree = syntaxTree(path);
  const body = Array.isArray(tree.body) ? tree.body.filter(isNode) : [];
  return body.flatMap((node): ExportedName[] => {
    if (node.type === "ExportDeclaration" && isNode(node.declaration)) {
      return declaredNames(node.declaration).map((name) => ({ name, path, localName: name }));
    }
    if (node.type !== "ExportNamedDeclaration" && node.type !== "ExportAllDeclaration") return [];
    const source = textOf(node.source);
    if (source !== undefined && !source.startsWith(".")) return [];
    const target = source === undefined ? path : posix.join(dirname(path), source);
    if (node.type === "ExportAllDeclaration") return exportsOf(target);
    const specifiers = Array.isArray(node.specifiers) ? node.specifiers.filter(isNode) : [];
    return specifiers.map((specifier) => {
      const original = textOf(specifier.orig) ?? textOf(specifier.name) ?? "?";
      const declared = target === path ? undefined : exportsOf(target).find((found) => found.name === original);
      return { path: target, localName: original, ...declared, name: textOf(specifier.exported) ?? original };
    });
  });
}

function declaredNames(declaration: SyntaxNode): string[] {
  if (declaration.type !== "VariableDeclaration") return [textOf(declaration.identifier) ?? textOf(declaration.id) ?? "?"];
  const declarations = Array.isArray(declaration.declarations) ? declaration.declarations.filter(isNode) : [];
  return declarations.map((variable) => textOf(variable.id) ?? "?");
}

/** Whether a doc comment stands right before the declaration of a name. */
export function hasDocComment(path: string, name: string): boolean {
  const declaration = new RegExp(
    `^(?:export )?(?:declare )?(?:abstract )?(?:async )?(?:function\\*?|class|interface|type|const|let|enum) ${name}\\b`,
    "m",
  );
  const text = readText(path);
  const start = declaration.exec(text)?.index;
  return start !== undefined && /\/\*\*(?:(?!\*\/)[^])*\*\/\s*$/.test(text.slice(0, start));
}
