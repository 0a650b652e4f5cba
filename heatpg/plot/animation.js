
"use strict";
const frames = Array.from(document.querySelectorAll(".frames img"));
const slider = document.querySelector("input");
const button = document.querySelector("button");
const words = document.querySelector("output");
const seconds = JSON.parse(document.body.dataset.seconds);
const loop = document.body.dataset.loop === "true";
let current = 0;
let timer = 0;
function show(place) {
  frames[current].classList.remove("shown");
  frames[place].classList.add("shown");
  current = place;
  slider.value = String(place);
  slider.setAttribute("aria-valuetext", frames[place].alt);
  words.textContent = frames[place].alt;
}
function stop() {
  clearTimeout(timer);
  timer = 0;
  button.textContent = "Play";
}
function next() {
  timer = setTimeout(() => {
    if (current + 1 === frames.length && !loop) { stop(); return; }
    show((current + 1) % frames.length);
    next();
  }, 1000 * seconds[current]);
}
function play() {
  if (current + 1 === frames.length && !loop) { show(0); }
  button.textContent = "Pause";
  next();
}
button.addEventListener("click", () => { if (timer) { stop(); } else { play(); } });
slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
show(0);
if (frames.length > 1 && !matchMedia("(prefers-reduced-motion: reduce)").matches) { play(); }
