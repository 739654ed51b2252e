// The search of the site: ranks the sections in SECTIONS by the words that are typed.

const COMMON = new Set("a an and are at be by can do does for from how i if in is it its my not of on or that the then there this to what when where which why with you your".split(" "));

function stem(word) {
  if (word.length < 4) return word;
  return word.replace(/ies$/, "y").replace(/(ing|ed|es|s|e)$/, "").replace(/([^aeious])\1$/, "$1");
}

function wordsOf(text) {
  const found = text.toLowerCase().match(/[\p{L}\p{N}_]+/gu) || [];
  return found.flatMap((word) => (word.includes("_") ? [word, ...word.split("_")] : [word])).filter(Boolean).map(stem);
}

function counted(text) {
  const counts = new Map();
  for (const word of wordsOf(text)) counts.set(word, (counts.get(word) || 0) + 1);
  return counts;
}

const plain = (text) => ` ${wordsOf(text).join(" ")} `;
// Who searches mostly has a task: guides and commands come first.
const weigh = (page) => (/^(how-to|flow-files|reference)/.test(page) ? 1.3 : /^(reliability|troubleshooting|warnings)/.test(page) ? 0.8 : 1);
const sections = SECTIONS.map(([page, pageTitle, anchor, title, text, words]) => ({
  page, pageTitle, anchor, title, text, weight: weigh(page),
  inPage: counted(pageTitle), inTitle: counted(`${title} ${words}`), inText: counted(text),
  titleWords: plain(`${title} ${words}`), textWords: plain(text), length: wordsOf(text).length,
}));
const average = sections.reduce((sum, one) => sum + one.length, 0) / sections.length;

// How often a word is there; a word that only begins like it counts less.
function count(counts, word) {
  let sum = counts.get(word) || 0;
  if (word.length > 2) for (const [other, times] of counts) if (other !== word && other.startsWith(word)) sum += times / 3;
  return sum;
}

function find(query) {
  const all = wordsOf(query);
  const typed = all.filter((word) => !COMMON.has(word));
  const words = [...new Set(typed.length ? typed : all)];
  if (!words.length) return [];
  const rarity = words.map((word) => {
    const holding = sections.filter((one) => count(one.inText, word) || count(one.inTitle, word)).length;
    return Math.log(1 + sections.length / (1 + holding));
  });
  const phrase = ` ${all.join(" ")} `;
  const pages = new Map();
  for (const one of sections) {
    let score = 0;
    let matched = 0;
    words.forEach((word, i) => {
      const times = count(one.inText, word);
      const inTitle = Math.min(count(one.inTitle, word), 1);
      const inPage = Math.min(count(one.inPage, word), 1);
      if (times || inTitle || inPage) matched += 1;
      score += rarity[i] * (times / (times + 0.6 + (0.9 * one.length) / average) + 1.2 * inTitle + 0.6 * inPage);
    });
    score *= one.weight * (matched / words.length) ** 3;
    if (words.length > 1 && one.textWords.includes(phrase)) score *= 2.2;
    if (one.titleWords.includes(phrase)) score *= 1.5;
    if (score > 0.3) {
      const page = pages.get(one.page) || { title: one.pageTitle, hits: [] };
      page.hits.push({ ...one, score });
      pages.set(one.page, page);
    }
  }
  for (const page of pages.values()) {
    page.hits.sort((a, b) => b.score - a.score);
    page.score = page.hits[0].score + 0.1 * page.hits.slice(1, 4).reduce((sum, hit) => sum + hit.score, 0);
  }
  return [...pages.values()].sort((a, b) => b.score - a.score).slice(0, 20);
}

function element(name, text, attributes = {}) {
  const made = Object.assign(document.createElement(name), attributes);
  made.textContent = text;
  return made;
}

function excerpt(text, query) {
  const wanted = wordsOf(query).filter((word) => !COMMON.has(word));
  const pieces = text.split(/([\p{L}\p{N}_]+)/u);
  const hits = (piece) => wordsOf(piece).some((own) => wanted.some((word) => own.startsWith(word)));
  const first = Math.max(0, pieces.findIndex(hits) - 24);
  const paragraph = element("p", first ? "… " : "");
  for (const piece of pieces.slice(first, first + 80)) {
    paragraph.append(piece && hits(piece) ? element("mark", piece) : piece);
  }
  if (first + 80 < pieces.length) paragraph.append(" …");
  return paragraph;
}

function show(query) {
  const found = find(query);
  const pages = found.length === 1 ? "1 page" : `${found.length} pages`;
  document.getElementById("search-summary").textContent = query.trim() && `${pages} found`;
  if (query.trim() && !found.length) {
    document.getElementById("search-summary").append(": try other words, or look at ", element("a", "all guides", { href: "how-to/index.html" }));
  }
  document.getElementById("search-results").replaceChildren(...found.map((page) => {
    const item = document.createElement("li");
    for (const hit of page.hits.slice(0, 3).filter((one) => one.score > page.hits[0].score / 2)) {
      const title = hit.title === page.title ? page.title : `${page.title}: ${hit.title}`;
      item.append(element("a", title, { href: `${hit.page}#${hit.anchor}` }), excerpt(hit.text, query));
    }
    return item;
  }));
}

const field = document.getElementById("search-words");
field.value = new URLSearchParams(location.search).get("q") || "";
field.addEventListener("input", () => show(field.value));
show(field.value);
