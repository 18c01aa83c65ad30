/** The tokens of lips: their types for the parser, and the tables by which the lexer finds them. */
import { createToken, type IToken, type TokenType } from "./chevrotain.ts";

/** A token with what the layout filter needs to know about its place. */
export interface Token extends IToken {
  endOffset: number;
  /** A line ends somewhere between the token before and this one. */
  breakBefore: boolean;
  /** It stands at the very beginning of its line. */
  columnOne: boolean;
  /** Put in by the filter in place of something that has been reported: an error at it is not reported again. */
  virtual: boolean;
  /** Of an opening bracket: how many tokens further its closing one stands. */
  toCloser: number;
}

/** Name or any keyword: what an argument or an entry may be called. */
export const Word = createToken({ name: "Word", pattern: /(?!)/, label: "a name" });
export const Name = createToken({ name: "Name", pattern: /(?!)/, label: "a name", categories: [Word] });
export const Number = createToken({ name: "Number", pattern: /(?!)/, label: "a number" });
export const String = createToken({ name: "String", pattern: /(?!)/, label: "a string" });
/** The end of a line that ends a statement; made by the layout filter. */
export const NL = createToken({ name: "NL", pattern: /(?!)/, label: "the end of the line" });

const all: TokenType[] = [Word, Name, Number, String, NL];
export const keywords = new Map<string, TokenType>();
export const punctuators = new Map<string, TokenType>();

function keyword(image: string): TokenType {
  const name = image[0].toUpperCase() + image.slice(1);
  const type = createToken({ name, pattern: /(?!)/, label: `\`${image}\``, categories: [Word] });
  keywords.set(image, type);
  all.push(type);
  return type;
}

function punctuator(name: string, image: string): TokenType {
  const type = createToken({ name, pattern: /(?!)/, label: `\`${image}\`` });
  punctuators.set(image, type);
  all.push(type);
  return type;
}

export const Lips = keyword("lips");
export const Import = keyword("import");
export const From = keyword("from");
export const As = keyword("as");
export const Let = keyword("let");
export const Block = keyword("block");
export const Model = keyword("model");
export const Train = keyword("train");
export const Input = keyword("input");
export const Output = keyword("output");
export const Weights = keyword("weights");
export const Inference = keyword("inference");
export const Certify = keyword("certify");
export const At = keyword("at");
export const For = keyword("for");
export const In = keyword("in");
export const If = keyword("if");
export const Else = keyword("else");
export const And = keyword("and");
export const Or = keyword("or");
export const Not = keyword("not");
export const True = keyword("true");
export const False = keyword("false");

export const Pipe = punctuator("Pipe", "|>");
export const Power = punctuator("Power", "^");
export const Times = punctuator("Times", "*");
export const Divide = punctuator("Divide", "/");
export const Remainder = punctuator("Remainder", "%");
export const Plus = punctuator("Plus", "+");
export const Minus = punctuator("Minus", "-");
export const Equal = punctuator("Equal", "==");
export const NotEqual = punctuator("NotEqual", "!=");
export const LessEqual = punctuator("LessEqual", "<=");
export const GreaterEqual = punctuator("GreaterEqual", ">=");
export const Less = punctuator("Less", "<");
export const Greater = punctuator("Greater", ">");
/** `0 ..< 4` and `0 .. 4` of other languages: read, refused with the right words, and taken for `range(4)`. */
export const RangeOp = punctuator("RangeOp", "..<");
export const Assign = punctuator("Assign", "=");
export const Arrow = punctuator("Arrow", "->");
export const Colon = punctuator("Colon", ":");
export const Comma = punctuator("Comma", ",");
export const Dot = punctuator("Dot", ".");
export const Ellipsis = punctuator("Ellipsis", "...");
export const LParen = punctuator("LParen", "(");
export const RParen = punctuator("RParen", ")");
export const LBracket = punctuator("LBracket", "[");
export const RBracket = punctuator("RBracket", "]");
export const LBrace = punctuator("LBrace", "{");
export const RBrace = punctuator("RBrace", "}");

export const brackets: ReadonlySet<TokenType> = new Set([LParen, RParen, LBracket, RBracket, LBrace, RBrace]);

export const vocabulary: readonly TokenType[] = all;

/** The operators that may stand between two operands, `and` and `or` among them. */
export const binaryOperators: readonly TokenType[] = [
  Pipe, Plus, Minus, Times, Divide, Power, Remainder,
  Equal, NotEqual, LessEqual, GreaterEqual, Less, Greater, And, Or, RangeOp,
]; // prettier-ignore

export function makeToken(type: TokenType, image: string, start: number, end: number): Token {
  return {
    image,
    startOffset: start,
    endOffset: end - 1,
    tokenType: type,
    tokenTypeIdx: type.tokenTypeIdx as number,
    breakBefore: false,
    columnOne: false,
    virtual: false,
    toCloser: 0,
  };
}
