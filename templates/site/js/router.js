// Where in the site one is: `#/runs/12?view=log`. It works on any static host, under any prefix, without a server's help.

/** The place that the address names. */
export function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return { parts: path.split("/").filter(Boolean).map(decode), params: new URLSearchParams(query) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a place; parameters that are empty are left out. */
export function href(parts, params = {}) {
  const known = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(known).toString();
  return `#/${parts.map(encodeURIComponent).join("/")}${query && `?${query}`}`;
}

/** Keep parameters in the address without going anywhere. */
export function keep(params) {
  history.replaceState(null, "", href(place().parts, params));
}

export const runHref = (id, params) => href(["runs", id], params);
export const resultHref = (run, test) => href(["runs", run, "results", test]);
export const sampleHref = (id) => href(["samples", id]);
export const testHref = (id) => href(["tests", id]);
