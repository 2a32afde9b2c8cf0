/* Requests to the service that the page came from. There are no others. */

const TOKEN = "spacy-bigbird-token";

/** A request that was refused, with what the service says about it. */
export class Refused extends Error {}

async function askForToken() {
  const dialog = document.querySelector("#token-dialog");
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  sessionStorage.setItem(TOKEN, document.querySelector("#token").value);
}

async function request(path, options = {}, tries = 0) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch {
    throw new Refused("The service does not answer. Is it still running?");
  }
  if (response.status === 401 && tries < 3) {
    await askForToken();
    return request(path, options, tries + 1);
  }
  if (response.status === 429 && tries < 5) {
    const seconds = Number(response.headers.get("Retry-After")) || 1;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    return request(path, options, tries + 1);
  }
  const body = await response.json().catch(() => ({ error: `The service answers with status ${response.status}.` }));
  if (!response.ok) throw Object.assign(new Refused(body.error), { status: response.status });
  return body;
}

const post = (path, body) =>
  request(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

export const pipelines = () => request("v1/pipelines");
export const readText = (text, pipeline) => post("v1/documents", { text, pipeline });

export function readFile(file, pipeline) {
  const body = new FormData();
  body.append("file", file);
  body.append("pipeline", pipeline);
  return request("v1/documents", { method: "POST", body });
}

/** Ask by the id of a document. If the service keeps it no more, its text is sent again. */
export async function ask(id, text, questions, pipeline) {
  try {
    return await post("v1/ask", { document: id, questions, pipeline });
  } catch (error) {
    if (error.status !== 404) throw error;
    return post("v1/ask", { text, questions, pipeline });
  }
}
