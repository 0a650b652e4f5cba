"use strict";
(() => {
  // -------------------------------------------------------------------------------------------------------------------
  // What the page holds

  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const axes = data.axes;
  const dimensions = axes.length;
  const shape = axes.map((axis) => axis.size);
  const strides = shape.map((_, a) => shape.slice(a + 1).reduce((x, y) => x * y, 1));
  const nodes = shape.reduce((x, y) => x * y, 1);
  const last = data.frames.length - 1;
  const events = data.tracks ? data.tracks.events : [];
  // what is shown: u, and the tail mean if the page has it; tracks, basins and intervals are those of u
  const layers = [{
    ...data, events, codes: new Array(last + 1).fill(null),
    name: "mean u", symbol: "u", best: `${data.words.short} u`, optimum: "The optimum",
  }];
  if (data.risk) {
    layers.push({
      ...data.risk, frames: [data.frames[0], ...data.risk.frames], codes: new Array(last + 1).fill(null),
      tracks: null, events: [], basins: null, confidence: null,
    });
  }
  let layer = layers[0];

  const state = {
    frame: 0, playing: false, speed: 5, scale: "fixed", colours: "viridis",
    tracks: Boolean(data.tracks), basin: false, contours: false,
    layer: 0, probe: null, hidden: dimensions === 3 ? 2 : -1, slice: 0, fingerprintAxis: 0, theme: "light",
  };

  // -------------------------------------------------------------------------------------------------------------------
  // Frames: base64, raw deflate, high bytes then low bytes, zigzag, differences along every axis

  const masks = new Array(last + 1).fill(null);
  const errors = new Array(last + 1).fill(null);

  function fromBase64(text) {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
    return bytes;
  }

  async function inflate(text) {
    const stream = new Blob([fromBase64(text)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // adds up along one axis; 16-bit arrays wrap by themselves, as the differences did
  function sumAlong(field, a) {
    const step = strides[a];
    const line = step * shape[a];
    for (let begin = 0; begin < nodes; begin += line) {
      for (let i = begin + step; i < begin + line; i += 1) field[i] += field[i - step];
    }
  }

  async function unpackField({ data: text, passes }) {
    const bytes = await inflate(text);
    const field = new Uint16Array(nodes);
    for (let i = 0; i < nodes; i += 1) {
      const zigzag = (bytes[i] << 8) | bytes[nodes + i];
      field[i] = (zigzag >>> 1) ^ -(zigzag & 1);
    }
    for (let pass = 0; pass < passes; pass += 1) {
      for (let a = 0; a < dimensions; a += 1) sumAlong(field, a);
    }
    return field;
  }

  async function unpack(k) {
    if (data.basins) masks[k] = await inflate(data.basins.masks[k]);
    const { error } = data.frames[k];
    if (error) errors[k] = await unpackField(error);
    for (const one of layers) {
      const frame = one.frames[k];
      // without noise all layers are Q
      one.codes[k] = k || one === layers[0] ? await unpackField(frame) : layers[0].codes[0];
      if (k || one === layers[layers.length - 1]) frame.data = "";
    }
    if (error) error.data = "";
  }

  const valueIn = (one, k, node) => one.frames[k].low + one.frames[k].step * one.codes[k][node];
  const valueAt = (k, node) => valueIn(layer, k, node);
  // half of the width of the interval
  const errorAt = (k, node) => data.frames[k].error.low + data.frames[k].error.step * errors[k][node];
  const inBasin = (k, node) => Boolean(masks[k][node >> 3] & (128 >> (node & 7)));
  const nodeOf = (index) => index.reduce((sum, i, a) => sum + i * strides[a], 0);
  const coordinate = (a, i) => axes[a].first + i * axes[a].spacing;
  const nearest = (a, x) => Math.min(shape[a] - 1, Math.max(0, Math.round((x - axes[a].first) / axes[a].spacing)));
  const lowEdge = (a) => axes[a].first - axes[a].spacing / 2;
  const highEdge = (a) => axes[a].first + (shape[a] - 0.5) * axes[a].spacing;

  // -------------------------------------------------------------------------------------------------------------------
  // Words

  function number(x, digits = 4) {
    if (x === 0) return "0";
    const size = Math.abs(x);
    let text;
    if (size >= 1e6 || size < 1e-4) {
      text = x.toExponential(digits - 1).replace(/\.?0+e/, "e").replace("e+", "e");
    } else {
      text = x.toPrecision(digits);
      if (text.includes("e")) text = String(Number(text));
      if (text.includes(".")) text = text.replace(/\.?0+$/, "");
    }
    return text.replace(/-/g, "\u2212");
  }
  const whole = (text) => text.replace(/ /g, "\u00a0");
  const withUnit = (text, unit) => (unit ? whole(`${text} ${unit}`) : text);
  const sigmaName = whole(data.abscissa_name);
  // digits that a range far from 0 spends on what all its numbers share
  const shared = (low, high) => (high > low ? Math.min(12, Math.max(0, Math.ceil(Math.log10(Math.max(Math.abs(low), Math.abs(high)) / (high - low))))) : 0);
  const sharedValues = shared(...data.range);
  const valueText = (x, digits) => number(x, digits + sharedValues);
  const along = (a, x, digits = 4) => number(x, digits + shared(axes[a].lower, axes[a].upper));
  function placeText(place, digits = 4) {
    const units = axes.map((axis) => axis.unit);
    const texts = place.map((x, a) => along(a, x, digits));
    if (place.length === 1) return withUnit(texts[0], units[0]);
    if (data.alike) return withUnit(`(${texts.join(", ")})`, data.unit);
    return `(${texts.map((text, a) => withUnit(text, units[a])).join(", ")})`;
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Drawing surfaces, ticks, colours

  const ink = {};
  function readInk() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["panel", "ink", "quiet", "line", "grid", "field", "initial", "best", "birth", "death", "jump"]) {
      ink[name] = style.getPropertyValue(`--${name}`).trim();
    }
  }
  const FONT = '11.5px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';

  // a canvas with as many points as the screen has, cleared, in units of the page
  function surface(canvas) {
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
    if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = FONT;
    pen.lineJoin = "round";
    return { pen, width, height };
  }

  function ticks(low, high, most) {
    const span = high - low;
    // a span that is round-off has no round numbers in it
    if (!(span > 1e-13 * Math.max(Math.abs(low), Math.abs(high))) || !Number.isFinite(span)) return [low];
    const raw = span / Math.max(1, most);
    const power = 10 ** Math.floor(Math.log10(raw));
    const off = (step) => Math.abs(Math.log(step / raw));
    const step = [1, 2, 5, 10].map((m) => m * power).reduce((best, one) => (off(one) < off(best) ? one : best));
    const result = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * span; i += 1) result.push(i * step);
    return result;
  }

  // the texts of ticks: all with the digits that tell neighbours apart, and what long ones share apart from them
  function tickTexts(values) {
    const most = Math.max(...values.map(Math.abs));
    if (values.length < 2) return { texts: values.map((x) => number(x, 6)), offset: "" };
    const step = Math.min(...values.slice(1).map((x, i) => x - values[i]));
    const place = Math.floor(Math.log10(step * 1.0001));
    const write = (list, largest) => {
      const power = largest >= 1e6 || largest < 1e-3 ? Math.floor(Math.log10(largest * 1.0001)) : 0;
      const decimals = Math.min(20, Math.max(0, power - place));
      return list.map((x) => {
        const text = (power ? x / 10 ** power : x).toFixed(decimals);
        return `${Number(text) === 0 ? text.replace("-", "") : text}${power && Number(text) !== 0 ? `e${power}` : ""}`.replace(/-/g, "\u2212");
      });
    };
    const texts = write(values, most);
    if (Math.max(...texts.map((text) => text.length)) <= 9) return { texts, offset: "" };
    // a power of ten above the step, so that the offset itself has few digits
    const unit = 10 ** (place + 3);
    const base = Math.floor(values[0] / unit) * unit;
    const rest = values.map((x) => x - base);
    return { texts: write(rest, Math.max(...rest)), offset: `+ ${number(Number(base.toPrecision(15)), 15)}`.replace("+ \u2212", "\u2212 ") };
  }

  // numbers up the left side of a box: where, in which words, and how wide these are
  function leftScale(pen, low, high, height) {
    const values = ticks(low, high, height / (height > 250 ? 45 : 30));
    const { texts, offset } = tickTexts(values);
    return { values, texts, offset, width: Math.ceil(Math.max(...texts.map((text) => pen.measureText(text).width))) };
  }

  const OFFSET_HEIGHT = 20;  // of its line, above half of the topmost number

  // the box of a panel that is as wide as its canvas: its numbers need what they need
  function panelBox(pen, width, height, low, high) {
    const scale = leftScale(pen, low, high, height - 28);
    const left = scale.width + 9;
    const top = 6 + (scale.offset ? OFFSET_HEIGHT : 0);
    return { scale, left, top, width: width - left - 12, height: height - top - 22 };
  }
  // as they were drawn last, for the pointer
  const boxes = {};

  const colourTables = {};
  function colourTable(name) {
    if (!colourTables[name]) {
      const bytes = fromBase64(data.colours[name]);
      const table = new Uint32Array(256);
      for (let i = 0; i < 256; i += 1) {
        table[i] = (255 << 24) | (bytes[3 * i + 2] << 16) | (bytes[3 * i + 1] << 8) | bytes[3 * i];
      }
      colourTables[name] = table;
    }
    return colourTables[name];
  }

  function colourRange() {
    if (state.scale === "fixed") return data.range;
    const frame = layer.frames[state.frame];
    return [frame.least, frame.most];
  }

  // the colour of every code of a frame
  function codeColours(k, [low, high]) {
    const table = colourTable(state.colours);
    const frame = layer.frames[k];
    const result = new Uint32Array(2 ** data.bits);
    const width = high / 2 - low / 2;
    for (let c = 0; c < result.length; c += 1) {
      const share = width > 0 ? (frame.low / 2 + (frame.step / 2) * c - low / 2) / width : 0.5;
      result[c] = table[Math.max(0, Math.min(255, Math.round(share * 255)))];
    }
    return result;
  }

  function frameBox(pen, box) {
    pen.strokeStyle = ink.line;
    pen.lineWidth = 1;
    pen.strokeRect(box.left - 0.5, box.top - 0.5, box.width + 1, box.height + 1);
  }

  function scaleOf(low, high, begin, end) {
    const span = high / 2 - low / 2 || 1;
    return (x) => begin + ((x / 2 - low / 2) / span) * (end - begin);
  }

  function drawLeftTicks(pen, box, { values, texts, offset }, toY, lines) {
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    values.forEach((y, i) => {
      if (lines) {
        pen.strokeStyle = ink.grid;
        pen.lineWidth = 1;
        pen.beginPath(); pen.moveTo(box.left, toY(y)); pen.lineTo(box.left + box.width, toY(y)); pen.stroke();
      }
      pen.fillStyle = ink.quiet;
      pen.fillText(texts[i], box.left - 5, toY(y));
    });
    if (!offset) return;
    pen.textAlign = "left";
    pen.textBaseline = "bottom";
    pen.fillText(offset, Math.max(2, box.left - 40), box.top - 8);
  }

  // every tick has its line; a number that would run into the one before it, or out of the picture, is left out or moved
  function drawBottomTicks(pen, box, values, toX, texts = tickTexts(values).texts) {
    pen.textAlign = "left";
    pen.textBaseline = "top";
    pen.fillStyle = ink.quiet;
    pen.strokeStyle = ink.line;
    pen.lineWidth = 1;
    let free = 0;
    const end = pen.canvas.clientWidth;
    values.forEach((x, i) => {
      const at = toX(x);
      pen.beginPath(); pen.moveTo(at, box.top + box.height); pen.lineTo(at, box.top + box.height + 4); pen.stroke();
      const width = pen.measureText(texts[i]).width;
      const begin = Math.max(0, Math.min(end - width, at - width / 2));
      if (begin < free) return;
      pen.fillText(texts[i], begin, box.top + box.height + 5);
      free = begin + width + 6;
    });
  }

  // ticks along the bottom, as many as their numbers leave room for; what they all share goes to the name of the axis
  function bottomTicks(pen, low, high, width) {
    let found;
    for (let most = width / 70; most >= 1; most /= 1.5) {
      const values = ticks(low, high, most);
      found = { values, ...tickTexts(values) };
      const widest = Math.max(...found.texts.map((text) => pen.measureText(text).width));
      if (widest + 8 < width / Math.max(1, values.length - 1)) break;
    }
    return found;
  }

  // "x + 1000" measured from there: "x - 1000"
  const measuredFrom = (name, offset) => (offset ? `${name} ${offset.startsWith("+") ? offset.replace("+", "\u2212") : offset.replace("\u2212", "+")}` : name);

  function polyline(pen, points) {
    let drawing = false;
    pen.beginPath();
    for (const [x, y] of points) {
      if (!Number.isFinite(x) || !Number.isFinite(y)) { drawing = false; continue; }
      if (drawing) pen.lineTo(x, y); else pen.moveTo(x, y);
      drawing = true;
    }
    pen.stroke();
  }

  // what the sampling error leaves open, between an upper and a lower line
  function drawBand(pen, [upper, lower], colour) {
    pen.beginPath();
    [...upper, ...lower.toReversed()].forEach(([x, y], i) => { if (i) pen.lineTo(x, y); else pen.moveTo(x, y); });
    pen.closePath();
    pen.fillStyle = colour;
    pen.globalAlpha = 0.22;
    pen.fill();
    pen.globalAlpha = 1;
  }

  // a sign in its colour with an outline, so that it is seen on any colour of the map
  function sign(pen, kind, x, y, size, fill, outline) {
    const path = new Path2D();
    if (kind === "cross" || kind === "open cross") {
      const [r, w] = [size, size * 0.36];
      const corners = [[-w, -r], [w, -r], [w, -w], [r, -w], [r, w], [w, w], [w, r], [-w, r], [-w, w], [-r, w], [-r, -w], [-w, -w]];
      corners.forEach(([a, b], i) => {
        const [p, q] = [x + (a - b) * 0.7071, y + (a + b) * 0.7071];
        if (i) path.lineTo(p, q); else path.moveTo(p, q);
      });
      path.closePath();
    } else if (kind === "birth") {
      path.moveTo(x, y - size); path.lineTo(x + size, y + size * 0.8); path.lineTo(x - size, y + size * 0.8); path.closePath();
    } else if (kind === "death") {
      path.moveTo(x, y + size); path.lineTo(x + size, y - size * 0.8); path.lineTo(x - size, y - size * 0.8); path.closePath();
    } else if (kind === "jump") {
      path.moveTo(x, y - size * 1.2); path.lineTo(x + size, y); path.lineTo(x, y + size * 1.2); path.lineTo(x - size, y); path.closePath();
    } else {
      path.arc(x, y, size, 0, 2 * Math.PI);
    }
    if (kind !== "open cross") { pen.fillStyle = fill; pen.fill(path); }
    pen.strokeStyle = outline;
    pen.lineWidth = 1.1;
    pen.stroke(path);
  }

  const SIGN_OF = {
    birth: "birth", split: "birth", found: "birth", "enters box": "birth", "leaves edge": "birth",
    death: "death", merge: "death", lost: "death", "leaves box": "death", "reaches edge": "death", jump: "jump",
  };
  const signOf = (event) => SIGN_OF[event.kind] || "death";

  // -------------------------------------------------------------------------------------------------------------------
  // The map: two axes across, the third cut

  const mapBox = { left: 0, top: 0, width: 1, height: 1, room: 0 };
  const shownAxes = () => [...Array(dimensions).keys()].filter((a) => a !== state.hidden);

  function probe() {
    return state.probe || layer.frames[state.frame].best.place.map((x, a) => nearest(a, x));
  }

  function sizeMap(pen) {
    const canvas = byId("map");
    const width = canvas.clientWidth;
    mapBox.room = width;
    const narrow = window.innerWidth <= 700;
    const most = narrow ? Math.max(260, window.innerHeight * 0.55) : Math.max(300, window.innerHeight - 340);
    mapBox.top = 8;
    let height = Math.min(most, width * (dimensions > 1 ? 0.78 : 0.62));
    mapBox.height = height - 48;
    if (dimensions > 1) {
      const [a, b] = shownAxes();
      const ratio = (highEdge(a) - lowEdge(a)) / (highEdge(b) - lowEdge(b));
      const alike = axes[a].unit === axes[b].unit && ratio >= 0.5 && ratio <= 2;
      // twice: the height decides how many numbers there are, their widths decide the height
      for (let pass = 0; pass < 2; pass += 1) {
        mapBox.scale = leftScale(pen, lowEdge(b), highEdge(b), mapBox.height);
        mapBox.bar = leftScale(pen, ...colourRange(), mapBox.height);
        mapBox.top = mapBox.scale.offset || mapBox.bar.offset ? 8 + OFFSET_HEIGHT : 8;
        const offset = mapBox.bar.offset ? pen.measureText(mapBox.bar.offset).width - 32 : 0;
        const [left, right] = [mapBox.scale.width + 25, 12 + 12 + 5 + Math.max(mapBox.bar.width, offset) + 2];
        const [padX, padY] = [left + right, 40 + mapBox.top];
        height = Math.min(most, alike ? (width - padX) / ratio + padY : width * 0.78);
        mapBox.height = height - padY;
        mapBox.width = alike ? Math.min(width - padX, mapBox.height * ratio) : width - padX;
        mapBox.left = left + (width - padX - mapBox.width) / 2;
      }
    }
    canvas.style.height = `${Math.round(height)}px`;
  }

  const picture = document.createElement("canvas");

  // the pixels of the slice that is shown, made by a function of the node
  function paint(width, height, colourOf) {
    picture.width = width;
    picture.height = height;
    const pen = picture.getContext("2d");
    const image = pen.createImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const [a, b] = shownAxes();
    const base = state.hidden < 0 ? 0 : state.slice * strides[state.hidden];
    for (let j = 0; j < height; j += 1) {
      let node = base + (height - 1 - j) * strides[b];
      for (let i = 0; i < width; i += 1, node += strides[a]) pixels[j * width + i] = colourOf(node);
    }
    pen.putImageData(image, 0, 0);
    return picture;
  }

  const placing = () => {
    const [a, b] = shownAxes();
    return {
      a, b,
      toX: scaleOf(lowEdge(a), highEdge(a), mapBox.left, mapBox.left + mapBox.width),
      toY: scaleOf(lowEdge(b), highEdge(b), mapBox.top + mapBox.height, mapBox.top),
    };
  };

  // whether a place lies in the slice that is shown
  const inSlice = (place) => state.hidden < 0 || nearest(state.hidden, place[state.hidden]) === state.slice;

  function drawBasin(pen, { a, b, toX, toY }) {
    const k = state.frame;
    const dim = (110 << 24) >>> 0;
    const shade = paint(shape[a], shape[b], (node) => (inBasin(k, node) ? 0 : dim));
    pen.imageSmoothingEnabled = false;
    pen.drawImage(shade, mapBox.left, mapBox.top, mapBox.width, mapBox.height);
    const base = state.hidden < 0 ? 0 : state.slice * strides[state.hidden];
    const [halfX, halfY] = [axes[a].spacing / 2, axes[b].spacing / 2];
    pen.beginPath();
    for (let i = 0; i < shape[a]; i += 1) {
      for (let j = 0; j < shape[b]; j += 1) {
        const node = base + i * strides[a] + j * strides[b];
        const here = inBasin(k, node);
        const [x, y] = [coordinate(a, i), coordinate(b, j)];
        if (i + 1 < shape[a] && inBasin(k, node + strides[a]) !== here) {
          pen.moveTo(toX(x + halfX), toY(y - halfY)); pen.lineTo(toX(x + halfX), toY(y + halfY));
        }
        if (j + 1 < shape[b] && inBasin(k, node + strides[b]) !== here) {
          pen.moveTo(toX(x - halfX), toY(y + halfY)); pen.lineTo(toX(x + halfX), toY(y + halfY));
        }
      }
    }
    pen.strokeStyle = "white";
    pen.lineWidth = 1.2;
    pen.stroke();
  }

  // marching squares: each level is cut straight through each cell
  function drawContours(pen, { a, b, toX, toY }) {
    const [low, high] = colourRange();
    const base = state.hidden < 0 ? 0 : state.slice * strides[state.hidden];
    const levels = Array.from({ length: 11 }, (_, i) => low + ((high - low) * (i + 1)) / 12);
    pen.beginPath();
    for (let i = 0; i + 1 < shape[a]; i += 1) {
      for (let j = 0; j + 1 < shape[b]; j += 1) {
        const node = base + i * strides[a] + j * strides[b];
        const corners = [node, node + strides[a], node + strides[a] + strides[b], node + strides[b]].map((n) => valueAt(state.frame, n));
        const [least, most] = [Math.min(...corners), Math.max(...corners)];
        for (const level of levels) {
          if (level <= least || level > most) continue;
          const crossings = [];
          for (let side = 0; side < 4; side += 1) {
            const [from, to] = [corners[side], corners[(side + 1) % 4]];
            if (from < level === to < level) continue;
            const share = (level - from) / (to - from);
            const [x0, y0] = [[0, 0], [1, 0], [1, 1], [0, 1]][side];
            const [x1, y1] = [[1, 0], [1, 1], [0, 1], [0, 0]][side];
            crossings.push([toX(coordinate(a, i + x0 + share * (x1 - x0))), toY(coordinate(b, j + y0 + share * (y1 - y0)))]);
          }
          for (let c = 0; c + 1 < crossings.length; c += 2) {
            pen.moveTo(...crossings[c]); pen.lineTo(...crossings[c + 1]);
          }
        }
      }
    }
    pen.strokeStyle = "rgba(255, 255, 255, 0.55)";
    pen.lineWidth = 0.8;
    pen.stroke();
  }

  // outside the dashed box more than 1 % of the noise leaves the box along an axis
  function drawTrusted(pen, { a, b, toX, toY }) {
    const margins = layer.frames[state.frame].margins;
    if (!margins) return;
    const ends = [a, b].map((axis) => (margins[axis]
      ? [axes[axis].lower + margins[axis], axes[axis].upper - margins[axis]] : [lowEdge(axis), highEdge(axis)]));
    if (ends.some(([low, high]) => low >= high)) return;
    const [left, right] = ends[0].map(toX);
    const [bottom, top] = ends[1].map(toY);
    for (const [width, colour, dash] of [[1.8, "black", []], [1, "white", [4, 3]]]) {
      pen.setLineDash(dash);
      pen.lineWidth = width;
      pen.strokeStyle = colour;
      pen.strokeRect(left, top, right - left, bottom - top);
    }
    pen.setLineDash([]);
  }

  // points of a track from its beginning up to a frame or to its end, cut where it goes around a periodic axis
  function trackPoints(track, upTo, toPoint) {
    const ways = track.places.map((place, i) => ({ place, sigma: data.abscissa[track.begin + i] }));
    ways.length = Math.min(ways.length, upTo - track.begin + 1);
    if (track.birth) ways.unshift(track.birth);
    if (track.death && upTo >= track.begin + track.places.length) ways.push(track.death);
    const points = [];
    ways.forEach(({ place, sigma }, i) => {
      const around = i > 0 && axes.some((axis, a) => axis.periodic
        && Math.abs(place[a] - ways[i - 1].place[a]) > (axis.upper - axis.lower) / 2);
      if (around) points.push([NaN, NaN]);
      points.push(toPoint(place, sigma));
    });
    return points;
  }

  const alive = (track, k) => k >= track.begin && k < track.begin + track.places.length;
  const recent = (k) => layer.events.filter((event) => event.frame > k - 1 && event.frame <= k);

  function drawTails(pen, { a, b, toX, toY }) {
    const k = state.frame;
    for (const track of layer.tracks.tracks) {
      if (!alive(track, k)) continue;
      pen.strokeStyle = "rgba(255, 255, 255, 0.75)";
      pen.lineWidth = 1.2;
      polyline(pen, trackPoints(track, k, (place) => [toX(place[a]), toY(place[b])]));
    }
  }

  function drawMaxima(pen, { a, b, toX, toY }) {
    const k = state.frame;
    for (const track of layer.tracks.tracks) {
      if (!alive(track, k)) continue;
      const place = track.places[k - track.begin];
      pen.globalAlpha = inSlice(place) ? 1 : 0.4;
      sign(pen, "dot", toX(place[a]), toY(place[b]), 3.2, track.edge ? "#c8ccd0" : "white", "black");
      pen.globalAlpha = 1;
    }
    for (const event of recent(k)) {
      pen.globalAlpha = inSlice(event.place) ? 1 : 0.4;
      const kind = signOf(event);
      sign(pen, kind, toX(event.place[a]), toY(event.place[b]), kind === "jump" ? 12 : 5, SIGN_COLOURS[kind], "white");
      pen.globalAlpha = 1;
    }
  }
  // on the map signs keep one colour in both schemes, because the colours below them do
  const SIGN_COLOURS = { birth: "#23804a", death: "#5b4a8a", jump: "#c8401f" };

  function drawColourBar(pen, [low, high]) {
    const table = colourTable(state.colours);
    const [left, width] = [mapBox.left + mapBox.width + 12, 12];
    const bar = document.createElement("canvas");
    bar.width = 1;
    bar.height = 256;
    const barPen = bar.getContext("2d");
    const image = barPen.createImageData(1, 256);
    new Uint32Array(image.data.buffer).set(Array.from(table).reverse());
    barPen.putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = true;
    pen.drawImage(bar, left, mapBox.top, width, mapBox.height);
    frameBox(pen, { left, top: mapBox.top, width, height: mapBox.height });
    const toY = scaleOf(low, high, mapBox.top + mapBox.height, mapBox.top);
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    pen.fillStyle = ink.quiet;
    mapBox.bar.values.forEach((value, i) => pen.fillText(mapBox.bar.texts[i], left + width + 5, toY(value)));
    pen.textAlign = "right";
    pen.textBaseline = "bottom";
    if (mapBox.bar.offset) pen.fillText(mapBox.bar.offset, pen.canvas.clientWidth - 2, mapBox.top - 8);
  }

  // A name that is longer than its room is cut in its middle; its end stays, as the unit is there.
  function fitted(pen, text, room) {
    let [shown, kept] = [text, text.length];
    while (pen.measureText(shown).width > room && kept > 2) {
      kept -= 1;
      const end = Math.floor(kept / 2);
      shown = `${text.slice(0, kept - end).trimEnd()}…${text.slice(text.length - end).trimStart()}`;
    }
    return shown;
  }

  function drawAxisNames(pen, across, up) {
    const middle = mapBox.left + mapBox.width / 2;
    const room = 2 * Math.min(middle, pen.canvas.clientWidth - middle);
    pen.fillStyle = ink.ink;
    pen.textAlign = "center";
    pen.textBaseline = "bottom";
    pen.fillText(fitted(pen, across, room), middle, mapBox.top + mapBox.height + 38);
    pen.save();
    pen.translate(mapBox.left - mapBox.scale.width - 16, mapBox.top + mapBox.height / 2);
    pen.rotate(-Math.PI / 2);
    pen.textBaseline = "middle";
    pen.fillText(fitted(pen, up, mapBox.height), 0, 0);
    pen.restore();
  }

  // the canvas takes its height from the numbers that stand in it, and then is cleared at that height
  function mapSurface() {
    sizeMap(surface(byId("map")).pen);
    const drawn = surface(byId("map"));
    if (drawn.width === mapBox.room) return drawn;
    // its height has changed the width of the page
    sizeMap(drawn.pen);
    return surface(byId("map"));
  }

  function drawMap() {
    const { pen } = mapSurface();
    const places = placing();
    const { a, b, toX, toY } = places;
    const k = state.frame;
    const range = colourRange();
    const colours = codeColours(k, range);
    const field = layer.codes[k];
    const image = paint(shape[a], shape[b], (node) => colours[field[node]]);
    // enlarged nodes stay squares; only a picture finer than the screen is smoothed
    pen.imageSmoothingEnabled = shape[a] > mapBox.width * (window.devicePixelRatio || 1);
    pen.drawImage(image, mapBox.left, mapBox.top, mapBox.width, mapBox.height);
    pen.save();
    pen.beginPath();
    pen.rect(mapBox.left, mapBox.top, mapBox.width, mapBox.height);
    pen.clip();
    if (state.contours) drawContours(pen, places);
    if (state.basin && layer.basins && masks[k]) drawBasin(pen, places);
    drawTrusted(pen, places);
    const at = probe();
    pen.lineWidth = 1;
    pen.strokeStyle = "rgba(255, 255, 255, 0.6)";
    pen.beginPath();
    pen.moveTo(mapBox.left, toY(coordinate(b, at[b]))); pen.lineTo(mapBox.left + mapBox.width, toY(coordinate(b, at[b])));
    pen.moveTo(toX(coordinate(a, at[a])), mapBox.top); pen.lineTo(toX(coordinate(a, at[a])), mapBox.top + mapBox.height);
    pen.stroke();
    if (state.tracks && layer.tracks) drawTails(pen, places);
    pen.restore();
    frameBox(pen, mapBox);
    if (state.tracks && layer.tracks) drawMaxima(pen, places);
    const best = layer.frames[k].best.place;
    sign(pen, inSlice(best) ? "cross" : "open cross", toX(best[a]), toY(best[b]), 8, "white", inSlice(best) ? "black" : "white");
    drawLeftTicks(pen, mapBox, mapBox.scale, toY, false);
    const below = bottomTicks(pen, lowEdge(a), highEdge(a), mapBox.width);
    drawBottomTicks(pen, mapBox, below.values, toX, below.texts);
    drawAxisNames(pen, measuredFrom(axes[a].label, below.offset), axes[b].label);
    drawColourBar(pen, range);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Lines: the field of one dimension, and cuts through those of more

  // u at this sigma over Q, along one axis through the probe
  function drawLine(pen, boxOf, a, marks) {
    const k = state.frame;
    const at = probe();
    const base = nodeOf(at) - at[a] * strides[a];
    const line = (frame) => Array.from({ length: shape[a] }, (_, i) => valueAt(frame, base + i * strides[a]));
    const [initial, field] = [line(0), line(k)];
    const error = errors[k] && Array.from({ length: shape[a] }, (_, i) => errorAt(k, base + i * strides[a]));
    let [low, high] = data.range;
    if (state.scale === "frame") {
      low = field.reduce((a, b) => Math.min(a, b));
      high = field.reduce((a, b) => Math.max(a, b));
    }
    const room = (high - low) * 0.06 || Math.abs(high) * 0.06 || 1;
    [low, high] = [low - room, high + room];
    const box = boxOf(low, high);
    const toX = scaleOf(lowEdge(a), highEdge(a), box.left, box.left + box.width);
    const toY = scaleOf(low, high, box.top + box.height, box.top);
    drawLeftTicks(pen, box, box.scale, toY, true);
    const below = bottomTicks(pen, lowEdge(a), highEdge(a), box.width);
    drawBottomTicks(pen, box, below.values, toX, below.texts);
    pen.save();
    pen.beginPath();
    pen.rect(box.left, box.top, box.width, box.height);
    pen.clip();
    const margins = layer.frames[k].margins;
    if (margins && margins[a] && axes[a].lower + margins[a] < axes[a].upper - margins[a]) {
      pen.strokeStyle = ink.quiet;
      pen.setLineDash([4, 3]);
      for (const x of [axes[a].lower + margins[a], axes[a].upper - margins[a]]) {
        pen.beginPath(); pen.moveTo(toX(x), box.top); pen.lineTo(toX(x), box.top + box.height); pen.stroke();
      }
      pen.setLineDash([]);
    }
    const points = (values) => values.map((v, i) => [toX(coordinate(a, i)), toY(v)]);
    if (error) {
      const sides = [1, -1].map((way) => field.map((v, i) => [toX(coordinate(a, i)), toY(v + way * error[i])]));
      drawBand(pen, sides, ink.field);
    }
    pen.strokeStyle = ink.initial;
    pen.lineWidth = 1.2;
    polyline(pen, points(initial));
    pen.strokeStyle = ink.field;
    pen.lineWidth = 2;
    if (k > 0) polyline(pen, points(field));
    pen.strokeStyle = ink.quiet;
    pen.lineWidth = 1;
    const x = toX(coordinate(a, at[a]));
    pen.beginPath(); pen.moveTo(x, box.top); pen.lineTo(x, box.top + box.height); pen.stroke();
    marks(toX, toY);
    sign(pen, "dot", x, toY(field[at[a]]), 3.4, ink.field, ink.panel);
    pen.restore();
    frameBox(pen, box);
    return below.offset;
  }

  function drawField() {
    const { pen, width } = mapSurface();
    const k = state.frame;
    const boxOf = (low, high) => {
      mapBox.scale = leftScale(pen, low, high, mapBox.height);
      const lower = mapBox.scale.offset ? OFFSET_HEIGHT : 0;
      const left = mapBox.scale.width + 25;
      return Object.assign(mapBox, { top: 8 + lower, height: mapBox.height - lower, left, width: width - left - 14 });
    };
    const offset = drawLine(pen, boxOf, 0, (toX, toY) => {
      if (state.basin && layer.basins && masks[k]) {
        pen.fillStyle = ink.field;
        pen.globalAlpha = 0.13;
        for (let i = 0; i < shape[0]; i += 1) {
          const [left, right] = [toX(coordinate(0, i - 0.5)), toX(coordinate(0, i + 0.5))];
          if (inBasin(k, i)) pen.fillRect(left, mapBox.top, right - left, mapBox.height);
        }
        pen.globalAlpha = 1;
      }
      if (state.tracks && layer.tracks) {
        for (const track of layer.tracks.tracks.filter((one) => alive(one, k))) {
          const x = track.places[k - track.begin][0];
          sign(pen, "dot", toX(x), toY(valueAt(k, nearest(0, x))), 4, "white", "black");
        }
        for (const event of recent(k)) {
          sign(pen, signOf(event), toX(event.place[0]), toY(event.value), 6, SIGN_COLOURS[signOf(event)], "white");
        }
      }
      const best = layer.frames[k].best;
      sign(pen, "cross", toX(best.place[0]), toY(best.value), 7, "white", "black");
    });
    drawAxisNames(pen, measuredFrom(axes[0].label, offset), k ? `${layer.symbol} (thick) and Q` : "Q");
  }

  function drawCuts() {
    shownAxes().forEach((a, i) => {
      const { pen, width, height } = surface(byId(i ? "cut-b" : "cut-a"));
      const offset = drawLine(pen, (low, high) => panelBox(pen, width, height, low, high), a, () => {});
      const others = probe().map((j, b) => (b === a ? "" : `${axes[b].name} = ${withUnit(along(b, coordinate(b, j)), axes[b].unit)}`));
      byId(i ? "cut-b-title" : "cut-a-title").textContent = `${layer.symbol} (thick${layer.confidence ? ", with its interval" : ""}) and Q along ${measuredFrom(axes[a].name, offset)}, at ${others.filter(Boolean).join(", ")}`;
    });
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Curves against sigma

  // the place of a sigma: logarithmic over wide ranges, with sigma = 0 in a slot of its own
  function sigmaScale(begin, end) {
    const noise = data.abscissa;
    const [first, final] = [noise[1], noise[last]];
    const logarithmic = last > 1 && final > 8 * first;
    const slot = logarithmic ? 26 : 0;
    const to = logarithmic
      ? (sigma) => (sigma > 0 ? begin + slot + (Math.log(sigma / first) / Math.log(final / first)) * (end - begin - slot) : begin)
      : scaleOf(0, final || 1, begin, end);
    let values = ticks(0, final || 1, (end - begin) / 60);
    if (logarithmic) {
      const steps = final / first > 200 ? [1] : [1, 2, 5];
      values = [0];
      for (let power = Math.floor(Math.log10(first)); power <= Math.ceil(Math.log10(final)); power += 1) {
        for (const m of steps) {
          const sigma = m * 10 ** power;
          if (sigma >= first * 0.999 && sigma <= final * 1.001) values.push(Number(sigma.toPrecision(3)));
        }
      }
    }
    return { to, values, slot };
  }

  // where the axis goes from sigma = 0 to the first logarithm
  function drawBreak(pen, box, slot) {
    const [x, y] = [box.left + slot / 2, box.top + box.height + 0.5];
    pen.strokeStyle = ink.quiet;
    pen.beginPath();
    for (const shift of [-2, 2]) { pen.moveTo(x + shift - 2, y + 4); pen.lineTo(x + shift + 2, y - 4); }
    pen.stroke();
  }

  // the frame whose sigma is drawn nearest to a place
  function frameNear(x, to) {
    let best = 0;
    data.abscissa.forEach((at, k) => {
      if (Math.abs(to(at) - x) < Math.abs(to(data.abscissa[best]) - x)) best = k;
    });
    return best;
  }

  function drawCursor(pen, box, to, colour) {
    const x = to(data.abscissa[state.frame]);
    pen.strokeStyle = colour;
    pen.lineWidth = 1;
    pen.beginPath(); pen.moveTo(x, box.top); pen.lineTo(x, box.top + box.height); pen.stroke();
  }

  function drawCurve() {
    const { pen, width, height } = surface(byId("curve"));
    const best = layer.frames.map((frame) => frame.best);
    const all = best.flatMap((one) => [one.value, one.initial]);
    if (layer.confidence) all.push(...best.flatMap((one) => [one.value - one.error, one.value + one.error]));
    let [low, high] = [Math.min(...all), Math.max(...all)];
    const room = (high - low) * 0.08 || Math.abs(high) * 0.08 || 1;
    [low, high] = [low - room, high + room];
    const box = panelBox(pen, width, height, low, high);
    boxes.curve = box;
    const { to, values, slot } = sigmaScale(box.left, box.left + box.width);
    const toY = scaleOf(low, high, box.top + box.height, box.top);
    drawLeftTicks(pen, box, box.scale, toY, true);
    drawBottomTicks(pen, box, values, to, values.map((x) => number(x)));
    if (slot) drawBreak(pen, box, slot);
    if (layer.confidence) {
      drawBand(pen, [1, -1].map((way) => best.map((one, k) => [to(data.abscissa[k]), toY(one.value + way * one.error)])), ink.field);
    }
    drawCursor(pen, box, to, ink.ink);
    for (const [key, colour, dash] of [["initial", ink.best, [5, 3]], ["value", ink.field, []]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = 1.8;
      pen.setLineDash(dash);
      // Q where the best is jumps with it, and has no values between
      polyline(pen, best.flatMap((one, k) => {
        const gap = key === "initial" && recent(k).some((event) => event.kind === "jump");
        return [...(gap ? [[NaN, NaN]] : []), [to(data.abscissa[k]), toY(one[key])]];
      }));
      pen.setLineDash([]);
      const here = best[state.frame];
      sign(pen, "dot", to(data.abscissa[state.frame]), toY(here[key]), 3.2, colour, ink.panel);
    }
    frameBox(pen, box);
    const band = layer.confidence ? `, ${number(100 * layer.confidence, 3)} % interval (band)` : "";
    byId("curve-title").textContent = `${layer.best} (line)${band}, and Q there (dashed), against ${sigmaName}`;
  }

  const waterfall = document.createElement("canvas");

  // the whole field of one dimension over sigma and place; painted anew only when something in it is another
  function paintWaterfall(box, to) {
    const columns = Math.max(1, Math.round(box.width));
    const rows = Math.min(shape[0], Math.max(1, Math.round(2 * box.height)));
    const now = [state.layer, state.colours, columns, rows, layer.codes.filter(Boolean).length].join();
    if (waterfall.dataset.shows === now) return;
    waterfall.dataset.shows = now;
    waterfall.width = columns;
    waterfall.height = rows;
    const pen = waterfall.getContext("2d");
    const image = pen.createImageData(columns, rows);
    const pixels = new Uint32Array(image.data.buffer);
    const tables = layer.codes.map((field, k) => (field ? codeColours(k, data.range) : null));
    for (let x = 0; x < columns; x += 1) {
      const k = frameNear(box.left + x + 0.5, to);
      if (!tables[k]) continue;
      for (let y = 0; y < rows; y += 1) {
        const node = Math.floor(((rows - 1 - y + 0.5) / rows) * shape[0]);
        pixels[y * columns + x] = tables[k][layer.codes[k][node]];
      }
    }
    pen.putImageData(image, 0, 0);
  }

  function drawFingerprint() {
    const { pen, width, height } = surface(byId("fingerprint"));
    const a = state.fingerprintAxis;
    const box = panelBox(pen, width, height, lowEdge(a), highEdge(a));
    boxes.fingerprint = box;
    const { to, values, slot } = sigmaScale(box.left, box.left + box.width);
    const toY = scaleOf(lowEdge(a), highEdge(a), box.top + box.height, box.top);
    if (dimensions === 1) {
      paintWaterfall(box, to);
      pen.imageSmoothingEnabled = true;
      pen.drawImage(waterfall, box.left, box.top, box.width, box.height);
    }
    drawLeftTicks(pen, box, box.scale, toY, dimensions > 1);
    drawBottomTicks(pen, box, values, to, values.map((x) => number(x)));
    if (slot) drawBreak(pen, box, slot);
    pen.save();
    pen.beginPath();
    pen.rect(box.left, box.top - 3, box.width + 6, box.height + 6);
    pen.clip();
    const onMap = dimensions === 1;
    if (layer.tracks) {
      for (const track of layer.tracks.tracks) {
        pen.strokeStyle = onMap ? "white" : ink.quiet;
        pen.lineWidth = 1.1;
        pen.setLineDash(track.edge ? [2, 2] : []);
        polyline(pen, trackPoints(track, Infinity, (place, sigma) => [to(sigma), toY(place[a])]));
      }
      pen.setLineDash([]);
    }
    drawCursor(pen, box, to, onMap ? "white" : ink.ink);
    layer.frames.forEach((frame, k) => {
      sign(pen, "dot", to(data.abscissa[k]), toY(frame.best.place[a]), 2.6, onMap ? "white" : ink.field, onMap ? "black" : ink.panel);
    });
    for (const event of layer.events) {
      const kind = signOf(event);
      const colour = onMap ? SIGN_COLOURS[kind] : ink[kind];
      sign(pen, kind, to(event.sigma), toY(event.place[a]), kind === "jump" ? 5 : 3.4, colour, onMap ? "white" : ink.panel);
    }
    pen.restore();
    frameBox(pen, box);
    byId("fingerprint-title").textContent = `${layer.tracks ? `${capital(data.words.extrema)} (dots: optimum)` : layer.optimum} against ${sigmaName}`;
  }

  // ticks of the events above the slider, whose thumb keeps half of its width from either end
  function stripPlace(width) {
    const thumb = window.innerWidth <= 700 ? 24 : 16;
    return (frame) => thumb / 2 + (last ? frame / last : 0) * (width - thumb);
  }

  function drawStrip() {
    const { pen, width, height } = surface(byId("strip"));
    const to = stripPlace(width);
    pen.strokeStyle = ink.line;
    for (let k = 0; k <= last; k += 1) {
      pen.beginPath(); pen.moveTo(to(k), height - 4); pen.lineTo(to(k), height); pen.stroke();
    }
    // jumps last, on top
    for (const kind of ["death", "birth", "jump"]) {
      for (const event of layer.events.filter((one) => signOf(one) === kind)) {
        sign(pen, kind, to(event.frame), 7, kind === "jump" ? 5 : 3.4, ink[kind], ink.panel);
      }
    }
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Text around the figures

  const capital = (word) => word.charAt(0).toUpperCase() + word.slice(1);

  function tellLevel() {
    const frame = layer.frames[state.frame];
    byId("level").textContent = frame.label;
    const best = frame.best;
    const margin = layer.confidence ? ` \u00b1 ${number(best.error, 2)}` : "";
    const parts = [`${state.frame ? layer.best : `${data.words.short} Q`} = ${valueText(best.value, 5)}${margin} at ${placeText(best.place)}`];
    if (state.frame) parts[0] += `, where Q = ${valueText(best.initial, 5)}`;
    if (best.edges.length) parts.push(`on the edge of the box (${best.edges.join(", ")})`);
    if (layer.basins) {
      const [share, count] = [layer.basins.shares[state.frame], layer.basins.counts[state.frame]];
      parts.push(`${data.words.ascent} reaches it from ${count === 1 ? "the whole box" : `${number(100 * share, 3)} % of the box`}`);
    }
    byId("facts").textContent = parts.join("; ");
    const slider = byId("slider");
    slider.value = String(state.frame);
    slider.setAttribute("aria-valuetext", frame.label);
    byId("map").setAttribute("aria-label", `${frame.label}: ${parts.join("; ")}`);
  }

  function tellProbe() {
    const at = probe();
    const node = nodeOf(at);
    const best = layer.frames[state.frame].best;
    // at the optimum the values that are not rounded, wherever its node is on the page
    const [u, q] = state.probe || data.stride > 1 ? [valueAt(state.frame, node), valueAt(0, node)] : [best.value, best.initial];
    const place = placeText(at.map((i, a) => coordinate(a, i)));
    const where = `${axes.map((axis) => axis.name).join(", ")} = ${place}`;
    const margin = layer.confidence ? ` \u00b1 ${number(errorAt(state.frame, node), 2)}` : "";
    const values = state.frame ? `${layer.symbol} = ${valueText(u, 5)}${margin}, Q = ${valueText(q, 5)}, ${layer.symbol}\u00a0\u2212\u00a0Q\u00a0=\u00a0${number(u - q, 3)}` : `Q = ${valueText(q, 5)}${margin}`;
    const whose = state.probe ? "at" : data.stride > 1 ? "at the node shown next to the optimum," : "at the optimum,";
    byId("readout").textContent = `${whose} ${where}: ${values}`;
  }

  function row(body, cells) {
    const line = document.createElement("tr");
    for (const cell of cells) {
      const box = document.createElement("td");
      if (cell instanceof Node) box.append(cell); else box.textContent = cell;
      line.append(box);
    }
    body.append(line);
    return line;
  }

  function tellChecks() {
    const counts = { passed: 0, finding: 0, failed: 0, silent: 0 };
    for (const check of data.report) {
      counts[check.status] += 1;
      const bound = check.figure === null || check.bound === null ? ""
        : ` (${number(check.figure, 3)} ${check.figure <= check.bound ? "\u2264" : ">"} ${number(check.bound, 3)}${check.bound_source ? `, ${check.bound_source}` : ""})`;
      row(byId("checks-rows"), [check.status, check.name, check.message + bound]).firstChild.className = check.status;
    }
    const silent = counts.silent ? `, ${counts.silent} silent` : "";
    const found = `${counts.finding} ${counts.finding === 1 ? "finding" : "findings"}`;
    const words = `${counts.passed} passed, ${found}, ${counts.failed} failed${silent}`;
    byId("checks-summary").textContent = data.report.length ? `Checks when it was solved: ${words}` : "No checks were made";
    const verdict = byId("verdict");
    verdict.textContent = !data.report.length ? "not checked" : counts.failed ? `\u2717 ${counts.failed} checks failed` : `\u2713 checks: ${counts.passed} passed, ${found}${silent}`;
    verdict.classList.add(counts.failed ? "failed" : data.report.length ? "passed" : "finding");
    verdict.addEventListener("click", () => {
      byId("checks").open = true;
      byId("checks").scrollIntoView();
    });
  }

  function tellEvents() {
    byId("events").hidden = !events.length;
    byId("events-summary").textContent = `Events on the tracks that are shown: ${events.length}`;
    for (const event of events) {
      const go = document.createElement("button");
      go.type = "button";
      go.textContent = `\u03c3 = ${withUnit(number(event.sigma, 6), data.unit)}`;
      go.addEventListener("click", () => show(Math.ceil(event.frame)));
      const coarse = event.resolved ? "" : ", below the resolution of the grid";
      row(byId("events-rows"), [go, event.kind, `at ${placeText(event.place)}, u = ${valueText(event.value, 5)}, \u00b1 ${number(event.uncertainty, 1)} in \u03c3${coarse}`]);
    }
  }

  function tellLegend() {
    const legend = byId("legend");
    legend.replaceChildren();
    const entry = (draw, text) => {
      const line = document.createElement("span");
      const mark = document.createElement("canvas");
      mark.className = "mark";
      line.append(mark, text);
      legend.append(line);
      return { mark, draw };
    };
    const entries = [entry((pen) => sign(pen, "cross", 9, 8, 6, "white", "black"), `${data.words.largest} value`)];
    if (layer.tracks) {
      entries.push(entry((pen) => sign(pen, "dot", 9, 8, 3.4, "white", "black"), `${data.words.extremum}, and its track`));
      for (const [kind, text] of [["birth", "beginning of a track"], ["death", "end of a track"], ["jump", "jump of the optimum"]]) {
        entries.push(entry((pen) => sign(pen, kind, 9, 8, 5, SIGN_COLOURS[kind], "white"), text));
      }
    }
    if (layer.frames.some((frame) => frame.margins)) {
      entries.push(entry((pen) => {
        pen.strokeStyle = ink.quiet;
        pen.setLineDash([4, 3]);
        pen.strokeRect(2, 3, 14, 10);
      }, `beyond this line, more than 1 % of ${data.words.point}s fall outside the box`));
    }
    return () => entries.forEach(({ mark, draw }) => draw(surface(mark).pen));
  }

  function tellOnce() {
    byId("title").textContent = data.title;
    byId("subtitle").textContent = data.subtitle;
    for (const note of data.notes) {
      const line = document.createElement("li");
      line.textContent = note;
      byId("notes").append(line);
    }
    for (const [name, text] of data.provenance) row(byId("provenance-rows"), [name, text]);
    layers.forEach((one, i) => byId("layer").append(new Option(one.name, String(i))));
    byId("layer-box").hidden = layers.length === 1;
    for (const name of Object.keys(data.colours)) byId("colours").append(new Option(name, name));
    axes.forEach((axis, a) => {
      byId("fingerprint-axis").append(new Option(`along ${axis.name}`, String(a)));
      byId("slice-axis").append(new Option(axis.name, String(a)));
    });
    byId("slider").max = String(last);
    byId("slice-box").hidden = dimensions !== 3;
    byId("fingerprint-axis").hidden = dimensions === 1;
    for (const id of ["cut-a-box", "cut-b-box"]) byId(id).hidden = dimensions === 1;
    byId("contours-box").hidden = dimensions === 1;
    byId("tracks").checked = state.tracks;
    document.body.classList.toggle("line", dimensions === 1);
    tellChecks();
    tellEvents();
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Redrawing: at most once for each picture of the screen

  let wanted = false;
  let drawLegend = () => {};

  function redraw() {
    if (wanted) return;
    wanted = true;
    requestAnimationFrame(() => {
      wanted = false;
      if (layer.codes[state.frame] && layer.codes[0]) drawAll();
    });
  }

  // the slice goes through the probe, which is the optimum until the reader moves it
  function placeSlice() {
    const a = state.hidden;
    state.slice = probe()[a];
    byId("slice").value = String(state.slice);
    byId("slice-place").textContent = `${axes[a].name} = ${withUnit(along(a, coordinate(a, state.slice)), axes[a].unit)}`;
  }

  function drawAll() {
    if (state.hidden >= 0) placeSlice();
    if (dimensions === 1) drawField();
    else {
      drawMap();
      drawCuts();
    }
    drawCurve();
    drawFingerprint();
    drawStrip();
    drawLegend();
    tellLevel();
    tellProbe();
  }

  // -------------------------------------------------------------------------------------------------------------------
  // What the reader does

  let timer = 0;

  function show(frame) {
    state.frame = Math.max(0, Math.min(last, frame));
    redraw();
  }

  function play(on) {
    state.playing = on && last > 0;
    clearInterval(timer);
    byId("play").textContent = state.playing ? "\u275a\u275a Pause" : "\u25b6 Play";
    byId("play").setAttribute("aria-label", state.playing ? "Pause" : "Play");
    if (!state.playing) return;
    if (state.frame === last) show(0);
    timer = setInterval(() => {
      if (state.frame >= last) play(false);
      else if (layer.codes[state.frame + 1]) show(state.frame + 1);
    }, 1000 / state.speed);
  }

  function setSpeed(change) {
    const select = byId("speed");
    select.selectedIndex = Math.max(0, Math.min(select.length - 1, select.selectedIndex + change));
    state.speed = Number(select.value);
    if (state.playing) play(true);
  }

  function setSlice(i) {
    const slice = Math.max(0, Math.min(shape[state.hidden] - 1, i));
    state.probe = probe().map((j, a) => (a === state.hidden ? slice : j));
    redraw();
  }

  function setHidden(a) {
    state.hidden = a;
    byId("slice-axis").value = String(a);
    byId("slice").max = String(shape[a] - 1);
    redraw();
  }

  function moveProbe(across, up) {
    const shown = shownAxes();
    const at = [...probe()];
    [across, up].forEach((by, i) => {
      const a = shown[i];
      if (a !== undefined) at[a] = Math.max(0, Math.min(shape[a] - 1, at[a] + by));
    });
    state.probe = at;
    redraw();
  }

  function followOptimum() {
    state.probe = null;
    redraw();
  }

  function setLayer(i) {
    state.layer = i;
    layer = layers[i];
    byId("layer").value = String(i);
    byId("tracks").disabled = !layer.tracks;
    byId("basin").disabled = !layer.basins;
    drawLegend = tellLegend();
    redraw();
  }

  function toggle(name) {
    const box = byId(name);
    if (box.disabled) return;
    state[name] = !state[name];
    box.checked = state[name];
    redraw();
  }

  function setTheme(theme) {
    state.theme = theme;
    document.documentElement.dataset.theme = theme;
    byId("theme").textContent = theme === "dark" ? "\u2600 light" : "\u263e dark";
    readInk();
    redraw();
  }

  // the cuts follow the pointer, and stay where it leaves or clicks
  function follow(event) {
    const box = byId("map").getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const inside = x >= mapBox.left && x <= mapBox.left + mapBox.width && y >= mapBox.top && y <= mapBox.top + mapBox.height;
    if (!inside) return;
    const at = [...probe()];
    const [a, b] = shownAxes();
    at[a] = nearest(a, lowEdge(a) + ((x - mapBox.left) / mapBox.width) * (highEdge(a) - lowEdge(a)));
    if (dimensions > 1) at[b] = nearest(b, highEdge(b) - ((y - mapBox.top) / mapBox.height) * (highEdge(b) - lowEdge(b)));
    state.probe = at;
    redraw();
  }

  const KEYS = {
    ArrowLeft: () => show(state.frame - 1),
    ArrowRight: () => show(state.frame + 1),
    Home: () => show(0),
    End: () => show(last),
    " ": () => play(!state.playing),
    "+": () => setSpeed(1),
    "-": () => setSpeed(-1),
    o: followOptimum,
    l: () => setLayer((state.layer + 1) % layers.length),
    s: () => setScale(state.scale === "fixed" ? "frame" : "fixed"),
    t: () => toggle("tracks"),
    b: () => toggle("basin"),
    c: () => { if (dimensions > 1) toggle("contours"); },
    d: () => setTheme(state.theme === "dark" ? "light" : "dark"),
    "[": () => { if (state.hidden >= 0) setSlice(state.slice - 1); },
    "]": () => { if (state.hidden >= 0) setSlice(state.slice + 1); },
    "?": () => byId("help").showModal(),
  };
  const SHIFTED = {
    ArrowLeft: () => moveProbe(-1, 0), ArrowRight: () => moveProbe(1, 0),
    ArrowUp: () => moveProbe(0, 1), ArrowDown: () => moveProbe(0, -1),
  };

  function setScale(scale) {
    state.scale = scale;
    byId("scale").value = scale;
    redraw();
  }

  function onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || byId("help").open) return;
    const action = (event.shiftKey && SHIFTED[event.key]) || KEYS[event.key];
    if (!action) return;
    // a control that has the focus keeps the keys that it knows itself
    const target = event.target.closest("input, select, button, summary");
    const own = target && (target.matches("input[type=range]") ? !event.shiftKey && /^(Arrow|Home|End)/.test(event.key)
      : target.matches("select") ? event.key.length > 1 || event.key === " " : event.key === " ");
    if (own) return;
    event.preventDefault();
    action();
  }

  function listen() {
    byId("slider").addEventListener("input", () => show(Number(byId("slider").value)));
    byId("play").addEventListener("click", () => play(!state.playing));
    byId("speed").addEventListener("change", () => setSpeed(0));
    byId("layer").addEventListener("change", () => setLayer(Number(byId("layer").value)));
    byId("scale").addEventListener("change", () => setScale(byId("scale").value));
    byId("colours").addEventListener("change", () => { state.colours = byId("colours").value; redraw(); });
    for (const name of ["tracks", "basin", "contours"]) {
      byId(name).addEventListener("change", () => { state[name] = byId(name).checked; redraw(); });
    }
    byId("slice").addEventListener("input", () => setSlice(Number(byId("slice").value)));
    byId("slice-axis").addEventListener("change", () => setHidden(Number(byId("slice-axis").value)));
    byId("fingerprint-axis").addEventListener("change", () => {
      state.fingerprintAxis = Number(byId("fingerprint-axis").value);
      redraw();
    });
    byId("theme").addEventListener("click", () => setTheme(state.theme === "dark" ? "light" : "dark"));
    byId("help-open").addEventListener("click", () => byId("help").showModal());
    const map = byId("map");
    map.addEventListener("pointerdown", (event) => { map.setPointerCapture(event.pointerId); follow(event); });
    map.addEventListener("pointermove", follow);
    map.addEventListener("dblclick", followOptimum);
    for (const id of ["curve", "fingerprint"]) {
      byId(id).addEventListener("click", (event) => {
        const box = boxes[id];
        show(frameNear(event.offsetX, sigmaScale(box.left, box.left + box.width).to));
      });
    }
    byId("strip").addEventListener("click", (event) => {
      const to = stripPlace(byId("strip").clientWidth);
      show(Math.ceil(((event.offsetX - to(0)) / (to(last) - to(0) || 1)) * last - 0.25));
    });
    document.addEventListener("keydown", onKey);
    window.addEventListener("resize", redraw);
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
    setTheme(dark.matches ? "dark" : "light");
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Start

  function alarm(text) {
    byId("alarm").textContent = text;
    byId("alarm").hidden = false;
  }

  function able() {
    try {
      return Boolean(new DecompressionStream("deflate-raw"));
    } catch {
      return false;
    }
  }

  async function unpackAll() {
    await unpack(0);
    redraw();
    for (let k = 1; k <= last; k += 1) {
      await unpack(k);
      if (k === state.frame || k === last) redraw();
    }
  }

  tellOnce();
  if (!able()) {
    byId("main").hidden = true;
    alarm("This browser is too old to unpack the fields of this page (it has no DecompressionStream for deflate-raw): "
      + "Chromium and Edge from 103, Safari from 16.4 and Firefox from 113 have it.");
    return;
  }
  listen();
  setLayer(0);
  play(false);
  if (dimensions === 3) setHidden(2);
  const ready = unpackAll();
  ready.catch((reason) => alarm(`The fields of this page could not be unpacked: ${reason}`));
  // for scripts and tests: values as the page shows them
  window.heatpg = Object.freeze({
    ready,
    value: (frame, index, one = state.layer) => valueIn(layers[one], frame, nodeOf(index)),
    error: (frame, index) => (layer.confidence ? errorAt(frame, nodeOf(index)) : null),
    inBasin: (frame, index) => inBasin(frame, nodeOf(index)),
    state: () => ({ ...state, probe: [...probe()], last, shape: [...shape], range: colourRange(), map: { ...mapBox }, boxes: { ...boxes } }),
  });
})();
