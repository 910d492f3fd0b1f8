// Characters that nobody sees: tabs, no-break spaces, control characters, byte order marks, and the like.

import { unseen } from "./dom.js";

const NAMES = { "\t": ["⇥", "tab"], "\u00a0": ["⍽", "no-break space"], "\u00ad": ["⊣", "soft hyphen"], "\ufeff": ["BOM", "byte order mark"], "\r": ["CR", "carriage return"], "\n": ["LF", "line feed"], " ": ["·", "space at the end"] };
const UNSEEN = /([\u0000-\u001f\u007f-\u00a0\u00ad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]| +$)/u;

/** A text in which what nobody sees has a sign of its own. */
export function visible(text) {
  return text.split(UNSEEN).map((part, i) => (i % 2 ? [...part].map(sign) : part));
}

function sign(character) {
  const [shown, name] = NAMES[character] ?? [undefined, character < " " ? "control character" : undefined];
  return unseen(character, name, shown);
}
