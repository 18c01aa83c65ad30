/** The gradients of TensorFlow.js's own operations, which the plain tape needs. */
import { register } from "node:module";

/**
 * In Node `@tensorflow/tfjs-core` leaves them out, and the files that hold them are modules that only a bundler can
 * read: imports without endings, in a package that isn't marked as modules. These hooks let Node read them. The registry
 * of gradients is one for the whole process, so both copies of the library use it.
 */
export async function registerGradients(): Promise<void> {
  const folder = "/@tensorflow/tfjs-core/dist/";
  const hooks = `
    export function resolve(specifier, context, next) {
      const bare = context.parentURL?.includes("${folder}") && specifier.startsWith(".") && !specifier.endsWith(".js");
      return next(bare ? specifier + ".js" : specifier, context);
    }
    export function load(url, context, next) {
      const module = url.includes("${folder}") && !url.endsWith(".node.js");
      return next(url, module ? { ...context, format: "module" } : context);
    }`;
  register(`data:text/javascript,${encodeURIComponent(hooks)}`);
  const file = "@tensorflow/tfjs-core/dist/register_all_gradients.js";
  await import(/* @vite-ignore */ file);
}
