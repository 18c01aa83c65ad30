/**
 * Python's pickle format, read without running anything: the opcodes that `torch.save` writes, onto plain data. What a
 * pickle would call or construct stays a symbol with its arguments (`Made`), and only the reader of tensors gives two
 * of them a meaning. Source: CPython's Lib/pickletools.py (protocols 2 to 5).
 */

/** A name that the pickle speaks of: `torch._utils` `_rebuild_tensor_v2`. Never looked up. */
export interface Symbol {
  readonly kind: "symbol";
  readonly module: string;
  readonly name: string;
}

/** What Python would have called, with its arguments; and what it would have set afterwards. */
export interface Made {
  readonly kind: "made";
  readonly by: Value;
  readonly args: Value;
  readonly entries: Map<Value, Value>;
  readonly items: Value[];
}

/** Data kept outside of the pickle. */
export interface Persistent {
  readonly kind: "persistent";
  readonly id: Value;
}

export interface Dictionary {
  readonly kind: "dictionary";
  readonly entries: Map<Value, Value>;
}

export type Value =
  null | boolean | number | bigint | string | Uint8Array | Value[] | Symbol | Made | Persistent | Dictionary;

/** A sentence about what is wrong. */
export class PickleError extends Error {}

/** A pickle that can be read, of something else than tensors that are known here. */
export class OtherPickle extends Error {}

const mark = { kind: "mark" } as const;
type Slot = Value | typeof mark;

export function unpickle(bytes: Uint8Array): Value {
  return new Machine(bytes).run();
}

class Machine {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private at = 0;
  private readonly stack: Slot[] = [];
  private readonly memo = new Map<number, Value>();

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): Value {
    for (;;) {
      const opcode = this.take(1)[0];
      if (opcode === 0x2e) return this.pop();
      this.step(opcode);
    }
  }

  private step(opcode: number): void {
    switch (opcode) {
      case 0x80: // PROTO
        this.take(1);
        return;
      case 0x95: // FRAME
        this.take(8);
        return;
      case 0x28: // MARK
        this.stack.push(mark);
        return;
      case 0x30: // POP
        this.stack.pop();
        return;
      case 0x4e: // NONE
        return this.push(null);
      case 0x88:
        return this.push(true);
      case 0x89:
        return this.push(false);
      case 0x4a: // BININT
        return this.push(this.number(4, (at) => this.view.getInt32(at, true)));
      case 0x4b: // BININT1
        return this.push(this.take(1)[0]);
      case 0x4d: // BININT2
        return this.push(this.number(2, (at) => this.view.getUint16(at, true)));
      case 0x47: // BINFLOAT
        return this.push(this.number(8, (at) => this.view.getFloat64(at, false)));
      case 0x8a: // LONG1
        return this.push(integer(this.take(this.take(1)[0])));
      case 0x8b: // LONG4
        return this.push(integer(this.take(this.length(4))));
      case 0x8c: // SHORT_BINUNICODE
        return this.push(this.text(this.take(1)[0]));
      case 0x58: // BINUNICODE
        return this.push(this.text(this.length(4)));
      case 0x8d: // BINUNICODE8
        return this.push(this.text(this.length(8)));
      case 0x55: // SHORT_BINSTRING
        return this.push(this.text(this.take(1)[0]));
      case 0x54: // BINSTRING
        return this.push(this.text(this.length(4)));
      case 0x43: // SHORT_BINBYTES
        return this.push(this.take(this.take(1)[0]));
      case 0x42: // BINBYTES
        return this.push(this.take(this.length(4)));
      case 0x7d: // EMPTY_DICT
        return this.push({ kind: "dictionary", entries: new Map() });
      case 0x5d: // EMPTY_LIST
      case 0x29: // EMPTY_TUPLE
      case 0x8f: // EMPTY_SET
        return this.push([]);
      case 0x74: // TUPLE
      case 0x6c: // LIST
        return this.push(this.sinceMark());
      case 0x85: // TUPLE1, 2, 3
      case 0x86:
      case 0x87:
        return this.push(this.several(opcode - 0x84));
      case 0x61: // APPEND
        return this.append([this.pop()]);
      case 0x65: // APPENDS
      case 0x90: // ADDITEMS
        return this.append(this.sinceMark());
      case 0x73: // SETITEM
        return this.set(this.several(2));
      case 0x75: // SETITEMS
        return this.set(this.sinceMark());
      case 0x63: // GLOBAL
        return this.push({ kind: "symbol", module: this.line(), name: this.line() });
      case 0x93: {
        // STACK_GLOBAL
        const [module, name] = this.several(2);
        if (typeof module !== "string" || typeof name !== "string")
          throw new PickleError("a name is no text");
        return this.push({ kind: "symbol", module, name });
      }
      case 0x52: // REDUCE
      case 0x81: {
        // NEWOBJ
        const [by, args] = this.several(2);
        return this.push({ kind: "made", by, args, entries: new Map(), items: [] });
      }
      case 0x62: // BUILD: state of an object, which has no meaning here
        this.pop();
        return;
      case 0x51: // BINPERSID
        return this.push({ kind: "persistent", id: this.pop() });
      case 0x71: // BINPUT
        return this.remember(this.take(1)[0]);
      case 0x72: // LONG_BINPUT
        return this.remember(this.length(4));
      case 0x94: // MEMOIZE
        return this.remember(this.memo.size);
      case 0x68: // BINGET
        return this.recall(this.take(1)[0]);
      case 0x6a: // LONG_BINGET
        return this.recall(this.length(4));
      default:
        throw new PickleError(`the opcode 0x${opcode.toString(16)} is none that torch.save writes`);
    }
  }

  private push(value: Value): void {
    this.stack.push(value);
  }
  private pop(): Value {
    const value = this.stack.pop();
    if (value === undefined || value === mark) throw new PickleError("a value is missing");
    return value as Value;
  }
  /** The last `count` values, in order. */
  private several(count: number): Value[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }
  private sinceMark(): Value[] {
    const at = this.stack.lastIndexOf(mark);
    if (at < 0) throw new PickleError("a mark is missing");
    return this.stack.splice(at).slice(1) as Value[];
  }
  private top(): Value {
    const value = this.pop();
    this.push(value);
    return value;
  }

  private append(values: readonly Value[]): void {
    const to = this.top();
    const list = Array.isArray(to) ? to : isKind(to, "made") ? to.items : null;
    if (!list) throw new PickleError("items are added to what is no list");
    for (const value of values) list.push(value);
  }
  private set(pairs: readonly Value[]): void {
    const to = this.top();
    if (!isKind(to, "dictionary") && !isKind(to, "made"))
      throw new PickleError("an entry is set in what is no dictionary");
    for (let i = 0; i + 1 < pairs.length; i += 2) to.entries.set(pairs[i], pairs[i + 1]);
  }
  private remember(key: number): void {
    this.memo.set(key, this.top());
  }
  private recall(key: number): void {
    const value = this.memo.get(key);
    if (value === undefined) throw new PickleError(`nothing was remembered as ${key}`);
    this.push(value);
  }

  private take(count: number): Uint8Array {
    if (!(count >= 0) || this.at + count > this.bytes.length) throw new PickleError("it is cut off");
    return this.bytes.subarray(this.at, (this.at += count));
  }
  private number(width: number, read: (at: number) => number): number {
    const { at } = this;
    this.take(width);
    return read(at);
  }
  private length(width: 4 | 8): number {
    return this.number(width, (at) =>
      width === 4 ? this.view.getUint32(at, true) : Number(this.view.getBigUint64(at, true)),
    );
  }
  private text(length: number): string {
    return new TextDecoder().decode(this.take(length));
  }
  private line(): string {
    const end = this.bytes.indexOf(0x0a, this.at);
    if (end < 0) throw new PickleError("it is cut off");
    const text = this.text(end - this.at);
    this.take(1);
    return text;
  }
}

/** Little-endian two's complement of any length. */
function integer(bytes: Uint8Array): number | bigint {
  let value = 0n;
  bytes.forEach((byte, i) => (value |= BigInt(byte) << BigInt(8 * i)));
  if (bytes.length > 0 && bytes[bytes.length - 1] >= 128) value -= 1n << BigInt(8 * bytes.length);
  const plain = Number(value);
  return Number.isSafeInteger(plain) ? plain : value;
}

export function isKind<K extends "symbol" | "made" | "persistent" | "dictionary">(
  value: Value | undefined,
  kind: K,
): value is Extract<Value, { readonly kind: K }> {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === kind;
}
