/** Compares the answers and errors of a running service with the catalogue of its actions. */
import { Ajv, type ValidateFunction } from "ajv";
import type { ActionHandler, Middleware, Service } from "moleculer";
import { isTaskflowError } from "../../lib/errors/errors.ts";
import { ACTIONS, COMPONENTS, EVERY_ACTION, type ActionName } from "../../schemas/actions/index.ts";

const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, schemas: COMPONENTS });
const validators = new Map<ActionName, ValidateFunction>();

function validatorOf(name: ActionName): ValidateFunction {
  const known = validators.get(name) ?? ajv.compile(ACTIONS[name].answer);
  validators.set(name, known);
  return known;
}

const actionOf = (name = ""): ActionName | undefined => {
  const short = name.replace(/^taskflow\./, "");
  return short !== name && Object.hasOwn(ACTIONS, short) ? (short as ActionName) : undefined;
};

/**
 * A call whose answer or error is none of the catalogue's rejects, so that the test that made it
 * fails.
 */
export class CatalogueCheck implements Middleware {
  readonly name = "CatalogueCheck";
  /** Actions that answered. */
  readonly answered = new Set<ActionName>();
  /** Errors that actions threw, as `<action> <type>`. */
  readonly thrown = new Set<string>();

  readonly localAction = (next: ActionHandler, { name }: { name?: string }): ActionHandler => {
    const action = actionOf(name);
    if (!action) return next;
    const checkError = (error: unknown): never => this.#checkError(action, error);
    const checkAnswer = (answer: unknown): unknown => this.#checkAnswer(action, answer);
    return async function (this: Service, ctx): Promise<unknown> {
      const answered = next.call(this, ctx) as Promise<unknown>;
      return checkAnswer(await answered.catch(checkError));
    };
  };

  #checkError(action: ActionName, error: unknown): never {
    const allowed: readonly string[] = [...ACTIONS[action].errors, ...EVERY_ACTION];
    const type = isTaskflowError(error) ? error.type : String(error);
    if (!allowed.includes(type)) throw new Error(`taskflow.${action} threw ${type}, which its entry does not name.`);
    this.thrown.add(`${action} ${type}`);
    throw error;
  }

  #checkAnswer(action: ActionName, answer: unknown): unknown {
    const { success, data, ...rest } = answer as { success: unknown; data: unknown };
    const isValid = validatorOf(action);
    if (success !== true || Object.keys(rest).length > 0 || !isValid(data)) {
      const problems = ajv.errorsText(isValid.errors, { dataVar: "data" });
      throw new Error(`The answer of taskflow.${action} does not match its schema: ${problems}`);
    }
    this.answered.add(action);
    return answer;
  }
}
