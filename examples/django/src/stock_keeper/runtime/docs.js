"use strict";

const root = new URL(".", location.href); // includes the path prefix that a proxy strips

const ui = SwaggerUIBundle({
  url: new URL("openapi.json", root).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: false, // closing or reloading the page discards the token
  queryConfigEnabled: false, // otherwise a link to this page could load another document
  validatorUrl: null, // the validator badge would send the document's URL to another host
  plugins: [() => ({ statePlugins: { spec: { wrapActions: { updateJsonSpec: addServer } } } })],
  onComplete: () => {
    document.title = ui.specSelectors.info().get("title");
  },
});

// Without servers in the document, Swagger UI drops the prefix from the requests that it sends.
function addServer(update) {
  const prefix = root.pathname.replace(/\/$/, "");
  return (spec) => update(spec.servers || !prefix ? spec : { ...spec, servers: [{ url: prefix }] });
}
