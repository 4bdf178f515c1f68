// Three elements that need no state of a page: they work as soon as the page is drawn, and go on working when the
// page's own connection is gone.

const STOP_TIMEOUT_MS = 6000;
const SAID_MS = 12000;
const RETRY_MS = 1000;

function socketTo(path) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  return new WebSocket(`${scheme}://${location.host}${path}`);
}

// <tenon-stop>: asks the session manager to end the run, or the safety supervisor to hold the arm.
class TenonStop extends HTMLElement {
  connectedCallback() {
    if (this.button) return;
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "t-stop";
    this.button.textContent = "STOP";
    this.button.title = "End the run and hold the arm";
    this.said = document.createElement("div");
    this.said.className = "t-stop-said";
    this.said.setAttribute("role", "alert");
    this.append(this.button, this.said);
    this.button.addEventListener("click", () => this.press());
  }

  async press() {
    if (this.pending) return;
    this.pending = true;
    this.button.classList.add("pending");
    this.tell("stopping …", "");
    try {
      const signal = AbortSignal.timeout(STOP_TIMEOUT_MS);
      const answer = await fetch("/stop", { method: "POST", signal });
      if (!answer.ok) throw new Error(await answer.text());
      const { done, said } = await answer.json();
      this.tell(said, done ? "done" : "failed");
    } catch (error) {
      this.tell(`The console does not answer (${error.message}). Use the arm's own emergency stop.`, "failed");
    }
    this.pending = false;
    this.button.classList.remove("pending");
  }

  tell(text, state) {
    clearTimeout(this.timer);
    this.said.textContent = text;
    this.said.dataset.state = state;
    if (state === "done") this.timer = setTimeout(() => this.tell("", ""), SAID_MS);
  }
}

// <tenon-picture camera="camera/image_raw">: one picture under way at a time; the next is asked for once it is shown.
class TenonPicture extends HTMLElement {
  connectedCallback() {
    if (!this.canvas) {
      this.canvas = document.createElement("canvas");
      this.canvas.setAttribute("role", "img");
      this.canvas.setAttribute("aria-label", this.getAttribute("camera"));
      this.note = document.createElement("span");
      this.append(this.canvas, this.note);
    }
    this.open();
  }

  disconnectedCallback() {
    clearTimeout(this.timer);
    if (this.socket) this.socket.close();
    this.socket = null;
  }

  open() {
    const socket = (this.socket = socketTo(`/picture/${this.getAttribute("camera")}`));
    socket.binaryType = "blob";
    socket.onmessage = async ({ data }) => {
      if (typeof data === "string") this.explain(JSON.parse(data));
      else await this.show(data);
      if (socket.readyState === WebSocket.OPEN) socket.send("next");
    };
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.tell("no connection to the camera");
      this.timer = setTimeout(() => this.open(), RETRY_MS);
    };
  }

  explain({ age_s, problem }) {
    this.tell(problem || `no picture for ${age_s} s`);
  }

  // Handed over to a canvas: an <img> leaves each picture that it showed to the browser's cache, gigabytes in a day.
  async show(blob) {
    try {
      const bitmap = await createImageBitmap(blob);
      const { width, height } = bitmap;
      if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
      this.canvas.getContext("bitmaprenderer").transferFromImageBitmap(bitmap);
      this.dataset.shown = Number(this.dataset.shown || 0) + 1;
      this.tell("");
    } catch {
      this.tell("a picture could not be shown");
    }
  }

  tell(text) {
    this.note.textContent = text;
    this.classList.toggle("stale", text !== "");
  }
}

// <tenon-drive rate="30" unacknowledged="3" axes="x y z">: sends its deflection while it is held, else nothing.
const AXES = ["x", "y", "z", "roll", "pitch", "yaw"];
// As a stick or the keys w, a, s, d: away from a person behind the base is +x, to their left is +y.
const KEYS = [
  ["+x", "arrow_upward", "x", 1],
  ["−x", "arrow_downward", "x", -1],
  ["+y", "arrow_back", "y", 1],
  ["−y", "arrow_forward", "y", -1],
  ["+z", "vertical_align_top", "z", 1],
  ["−z", "vertical_align_bottom", "z", -1],
  ["turn left", "rotate_left", "yaw", 1],
  ["turn right", "rotate_right", "yaw", -1],
];

class TenonDrive extends HTMLElement {
  connectedCallback() {
    if (!this.pad) this.build();
    this.open();
    this.letGo = () => this.release();
    window.addEventListener("blur", this.letGo);
    document.addEventListener("visibilitychange", this.letGo);
    const period_ms = 1000 / Number(this.getAttribute("rate"));
    this.timer = setInterval(() => this.send(), period_ms);
  }

  disconnectedCallback() {
    this.release();
    clearInterval(this.timer);
    clearTimeout(this.retry);
    window.removeEventListener("blur", this.letGo);
    document.removeEventListener("visibilitychange", this.letGo);
    if (this.socket) this.socket.close();
    this.socket = null;
  }

  build() {
    this.held = new Map();
    this.pad = document.createElement("div");
    this.pad.className = "t-pad";
    const wanted = this.getAttribute("axes").split(" ");
    for (const [name, icon, axis, sign] of KEYS.filter((key) => wanted.includes(key[2]))) {
      const key = document.createElement("button");
      key.type = "button";
      key.dataset.axis = `${sign > 0 ? "+" : "-"}${axis}`;
      key.title = key.ariaLabel = name;
      key.innerHTML = `<i class="material-icons" aria-hidden="true">${icon}</i><span>${name}</span>`;
      key.addEventListener("pointerdown", (event) => {
        key.setPointerCapture(event.pointerId);
        this.hold(event.pointerId, key, axis, sign);
      });
      for (const end of ["pointerup", "pointercancel", "lostpointercapture"])
        key.addEventListener(end, (event) => this.release(event.pointerId));
      key.addEventListener("contextmenu", (event) => event.preventDefault());
      this.pad.append(key);
    }
    this.slider = document.createElement("input");
    Object.assign(this.slider, { type: "range", min: 10, max: 100, value: 50, ariaLabel: "speed" });
    const speed = document.createElement("label");
    speed.className = "t-speed";
    speed.append("speed", this.slider);
    this.append(this.pad, speed);
  }

  hold(pointer, key, axis, sign) {
    this.held.set(pointer, { key, axis, sign });
    key.classList.add("held");
    this.send();
  }

  release(pointer) {
    const ended = pointer === undefined ? [...this.held.keys()] : [pointer];
    for (const one of ended) {
      this.held.get(one)?.key.classList.remove("held");
      this.held.delete(one);
    }
  }

  open() {
    const socket = (this.socket = socketTo("/drive"));
    this.isReady = false;
    this.underWay = this.lateInRow = 0;
    socket.onmessage = ({ data }) => {
      this.underWay -= 1;
      this.isReady = true;
      this.lateInRow = data === "" ? 0 : this.lateInRow + 1;
      // More than can have been under way in a stall: this computer slept, or its clock was set. Both begin anew.
      if (this.lateInRow > this.mostUnderWay) socket.close();
    };
    socket.onclose = () => {
      this.classList.add("offline");
      if (this.socket === socket) this.retry = setTimeout(() => this.open(), RETRY_MS);
    };
    socket.onopen = () => {
      this.classList.remove("offline");
      this.say({});
    };
  }

  // Not by the attribute's name: Vue would take it for a property to be set.
  get mostUnderWay() {
    return Number(this.getAttribute("unacknowledged"));
  }

  // Only once the console has answered the first message: it measures by that one how late others come.
  send() {
    if (!this.held || this.held.size === 0 || this.socket.readyState !== WebSocket.OPEN) return;
    if (this.closest("[inert]")) return this.release();
    if (!this.isReady || this.underWay >= this.mostUnderWay) return;
    const deflection = AXES.map(() => 0);
    for (const { axis, sign } of this.held.values())
      deflection[AXES.indexOf(axis)] += (sign * Number(this.slider.value)) / 100;
    this.say({ deflection });
  }

  say(content) {
    this.underWay += 1;
    this.socket.send(JSON.stringify({ ...content, sent_ms: performance.now() }));
  }
}

customElements.define("tenon-stop", TenonStop);
customElements.define("tenon-picture", TenonPicture);
customElements.define("tenon-drive", TenonDrive);
