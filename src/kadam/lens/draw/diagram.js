/* Opens and closes blocks: every view was laid out beforehand, so all there is to do is to put things in their places. */
for (const svg of document.querySelectorAll("svg.kadam-flow")) {
  const data = document.getElementById(svg.id + "-views");
  if (!data) continue;
  const { views, parents } = JSON.parse(data.textContent);
  const part = (key) => document.getElementById(svg.id + "-" + key);
  const show = (name) => {
    const view = views[name];
    for (const one of svg.querySelectorAll(".box,.frame,.edge")) one.style.display = "none";
    for (const [key, [x, y]] of Object.entries(view.boxes)) {
      part(key).style.display = "";
      part(key).setAttribute("transform", `translate(${x} ${y})`);
    }
    for (const [key, [x, y, width, height, leaves]] of Object.entries(view.frames)) {
      const frame = part("f" + key);
      frame.style.display = "";
      frame.setAttribute("transform", `translate(${x} ${y})`);
      frame.querySelector(".edge-of").setAttribute("width", width);
      frame.querySelector(".edge-of").setAttribute("height", height);
      frame.querySelector(".leaves").setAttribute("transform", `translate(${leaves} ${height})`);
    }
    for (const [key, route] of Object.entries(view.edges)) {
      part(key).style.display = "";
      for (const path of part(key).querySelectorAll("path")) path.setAttribute("d", route);
    }
    const box = svg.viewBox.baseVal;
    const first = views[""].size;
    const width = svg.dataset.width ??= box.width - first[0], height = svg.dataset.height ??= box.height - first[1];
    svg.setAttribute("viewBox", `${box.x} ${box.y} ${view.size[0] + +width} ${view.size[1] + +height}`);
    svg.setAttribute("width", view.size[0] + +width);
    svg.style.minWidth = `${0.75 * (view.size[0] + +width)}px`;
    svg.setAttribute("height", view.size[1] + +height);
  };
  const toggle = (element) => {
    const key = element.dataset.opens, opens = element.getAttribute("aria-expanded") === "false";
    show(opens ? key : parents[key]);
    const other = part(opens ? "f" + key : key);
    other.focus({ preventScroll: true });
    other.scrollIntoView({ block: "nearest" });
  };
  svg.addEventListener("click", (event) => {
    const element = event.target.closest("[data-opens]");
    if (element && !String(getSelection())) toggle(element);
  });
  svg.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    const element = event.target.closest("[data-opens]");
    if (element) { event.preventDefault(); toggle(element); }
  });
}
