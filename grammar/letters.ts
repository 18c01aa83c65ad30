/**
 * Names are Latin and Greek, without the letters of one that look like the other, so that two names that look
 * the same are the same. These are the characters that people paste by accident, and what they meant.
 */
const lookAlikes = new Map<string, string>();

function add(from: string, to: string): void {
  const left = [...from];
  const right = [...to];
  for (let i = 0; i < left.length; i++) lookAlikes.set(left[i], right[i]);
}
add("аеорсухіјѕһԁԛԝкмтгп", "aeopcyxijshdqwkmtrn");
add("АВЕКМНОРСТУХІЈЅԚԜ", "ABEKMHOPCTYXIJSQW");
add("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοϲϳ", "ABEZHIKMNOPTYXocj");
add("ıȷℓ", "ijl");
add("−–—‐‑×·∗÷（）［］｛｝，：．＝＋－＊／＜＞｜", "-----***/()[]{},:.=+-*/<>|");
lookAlikes.set("≤", "<=").set("≥", ">=").set("≠", "!=").set("→", "->").set("…", "...").set("▷", "|>");
lookAlikes.set("∧", "and").set("∨", "or").set("¬", "not").set("µ", "μ");
for (let i = 0; i < 26; i++) {
  lookAlikes.set(String.fromCharCode(0xff21 + i), String.fromCharCode(65 + i));
  lookAlikes.set(String.fromCharCode(0xff41 + i), String.fromCharCode(97 + i));
}
for (let i = 0; i < 10; i++) lookAlikes.set(String.fromCharCode(0xff10 + i), String(i));

/** What was probably meant by a character that has no place in lips. */
export function lookAlike(character: string): string | undefined {
  return lookAlikes.get(character);
}

/** Latin letters, Greek ones without a Latin double, digits, underscore. */
export const goodName = /^[A-Za-z_ΓΔΘΛΞΠΣΦΨΩα-νξπ-ωϑϕϵ][A-Za-z0-9_ΓΔΘΛΞΠΣΦΨΩα-νξπ-ωϑϕϵ]*$/;
const goodCharacter = /^[A-Za-z0-9_ΓΔΘΛΞΠΣΦΨΩα-νξπ-ωϑϕϵ]$/;

/** The first character of `name` that is not allowed in names, with its place, and the name as it was meant. */
export function inspectName(name: string): { at: number; found: string; instead: string | null } | null {
  if (goodName.test(name)) return null;
  let at = 0;
  let first: { at: number; found: string } | null = null;
  let instead = "";
  let known = true;
  for (const character of name) {
    if (goodCharacter.test(character)) instead += character;
    else {
      first ??= { at, found: character };
      const meant = lookAlike(character);
      if (meant === undefined) known = false;
      else instead += meant;
    }
    at += character.length;
  }
  return first && { ...first, instead: known && goodName.test(instead) ? instead : null };
}
