/** Files of a zip archive that are stored as they are, which is how `torch.save` keeps tensors. (PKWARE APPNOTE 6.3.) */
import { damaged, good, unexpected, type Result } from "../result.ts";

export function isZip(bytes: Uint8Array): boolean {
  return bytes.length > 4 && bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/** Name → bytes, views into the archive. */
export function readZip(bytes: Uint8Array, name: string): Result<ReadonlyMap<string, Uint8Array>> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) return damaged(name, "its list of files is missing: it is cut off");
  let count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  // Zip64 has its own record, found by a locator before this one.
  if ((count === 0xffff || at === 0xffffffff) && end >= 20 && view.getUint32(end - 20, true) === 0x07064b50) {
    const record = Number(view.getBigUint64(end - 12, true));
    if (record + 56 > bytes.length) return damaged(name, "its list of files lies outside of it");
    count = Number(view.getBigUint64(record + 32, true));
    at = Number(view.getBigUint64(record + 48, true));
  }
  const files = new Map<string, Uint8Array>();
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== 0x02014b50)
      return damaged(name, "its list of files is broken");
    const [nameLength, extra, comment] = [28, 30, 32].map((o) => view.getUint16(at + o, true));
    const file = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const [size, local] = sizes(view, at, nameLength, extra);
    if (view.getUint16(at + 10, true) !== 0)
      return unexpected(
        name,
        `\`${file}\` in it is compressed`,
        "torch.save keeps its files as they are: name what it wrote",
      );
    if (local + 30 > bytes.length) return damaged(name, `\`${file}\` in it lies outside of it`);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (start + size > bytes.length) return damaged(name, `\`${file}\` in it is cut off`);
    files.set(file, bytes.subarray(start, start + size));
    at += 46 + nameLength + extra + comment;
  }
  return good(files);
}

/** Size and place of a file; zip64 keeps what doesn't fit in an extra field. */
function sizes(view: DataView, at: number, nameLength: number, extra: number): [size: number, local: number] {
  let size = view.getUint32(at + 24, true);
  let local = view.getUint32(at + 42, true);
  const stored = view.getUint32(at + 20, true);
  const end = at + 46 + nameLength + extra;
  for (let field = at + 46 + nameLength; field + 4 <= end; field += 4 + view.getUint16(field + 2, true)) {
    if (view.getUint16(field, true) !== 1) continue;
    let value = field + 4;
    const next = (): number => Number(view.getBigUint64((value += 8) - 8, true));
    if (size === 0xffffffff) size = next();
    if (stored === 0xffffffff) next();
    if (local === 0xffffffff) local = next();
  }
  return [size, local];
}
