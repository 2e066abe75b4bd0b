// Run at the end of a page: tells the page around it what is to be seen.
const page = document.documentElement;
const numbers = (text) => (text.match(/[\d.]+/g) || []).map(Number);
const luminance = (color) => {
  const [r, g, b] = color.slice(0, 3).map((v) => {
    const part = v / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
// WCAG 2's ratio.
const contrast = (a, b) => {
  const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
};
const paper = numbers(getComputedStyle(document.body).backgroundColor);
const over = (color, opacity) => color.slice(0, 3).map((v, i) => v * opacity + paper[i] * (1 - opacity));
const inks = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || element.closest("script")) continue;
  const style = getComputedStyle(element);
  const drawn = element.closest("svg") !== null;
  const color = numbers(drawn ? style.fill : style.color);
  const opacity = (color[3] ?? 1) * style.opacity * (drawn ? style.fillOpacity : 1);
  inks.push({ ratio: contrast(over(color, opacity), paper), text: walker.currentNode.data.trim() });
}
inks.sort((a, b) => a.ratio - b.ratio);
const size = (element) => {
  const { width, height } = element.getBoundingClientRect();
  return [width, height];
};
const outside = [...document.querySelectorAll("svg text")].filter((text) => {
  if (!text.textContent.trim()) return false;
  const [own, all] = [text.getBoundingClientRect(), text.closest("svg").getBoundingClientRect()];
  return own.left < all.left - 1 || own.right > all.right + 1 || own.bottom > all.bottom + 1 || own.top < all.top - 1;
});
const lines = [...document.querySelectorAll("svg polyline")]
  .map((line) => getComputedStyle(line))
  .filter((style) => style.strokeWidth === "2px");
parent.postMessage(JSON.stringify({
  dark: matchMedia("(prefers-color-scheme: dark)").matches,
  width: innerWidth,
  needed: page.scrollWidth,
  faintest: inks[0],
  texts: inks.length,
  charts: [...document.querySelectorAll("svg")].map(size),
  outside: outside.map((text) => text.textContent),
  faintest_line: Math.min(...lines.map((style) => contrast(numbers(style.stroke), paper))),
  pictures: [...document.images].map((image) => [image.complete, image.naturalWidth, ...size(image)]),
  requests: performance.getEntriesByType("resource").map((entry) => entry.name),
}), "*");
