// Browsers start no worker from a folder, and the search is one. There a frame takes its place; what they tell each other
// is copied, as between a page and its worker.
if (location.protocol === "file:") {
  const message = (data) => new MessageEvent("message", { data: structuredClone(data) });
  window.Worker = class {
    constructor(url) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.srcdoc = "<!doctype html><html lang='en'><title>Search</title>";
      this.inside = new Promise((ready) => {
        this.frame.onload = () => {
          const inside = this.frame.contentWindow;
          const script = inside.document.createElement("script");
          inside.postMessage = (data) => this.onmessage?.(message(data));
          script.src = url;
          script.onload = () => ready(inside);
          script.onerror = () => this.onerror?.(new Event("error", { cancelable: true }));
          inside.document.body.append(script);
        };
      });
      document.body.append(this.frame);
    }
    postMessage(data) {
      this.inside.then((inside) => inside.dispatchEvent(message(data)));
    }
    terminate() {
      this.frame.remove();
    }
  };
}
