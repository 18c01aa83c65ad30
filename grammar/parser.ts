/** The grammar, LL(2), with error recovery. Each rule is one production of lips.ebnf. Knows nothing but tokens. */
import {
  CstParser,
  EOF,
  tokenMatcher,
  type CstNode,
  type IParserErrorMessageProvider,
  type IToken,
  type TokenType,
} from "./chevrotain.ts";
import * as T from "./tokens.ts";

/** More mistakes than this are not read: each costs an exception, and nobody reads the hundredth. */
export const mistakeLimit = 200;

/** Thrown inside the parser only, to leave it; `parseTokens` catches it. */
class TooManyMistakes extends Error {}

/** What the parser says of a mistake: only what it expected, as a phrase. What it found, the caller sees. */
class Expectations implements IParserErrorMessageProvider {
  count = 0;

  private say(phrase: string): string {
    if (++this.count > mistakeLimit) throw new TooManyMistakes();
    return phrase;
  }
  buildMismatchTokenMessage(options: { expected: TokenType; ruleName: string }): string {
    const { expected, ruleName } = options;
    if (expected === EOF)
      return this.say("a declaration (`import`, `let`, `block`, `model` or `train`) or the end of the line");
    if (expected === T.RBrace) return this.say("the end of the line or `}`");
    if (expected === T.RParen && ruleName !== "operand") return this.say("`,` or `)`");
    if (expected === T.RBracket && ruleName !== "index") return this.say("`,` or `]`");
    if (expected === T.LBrace && ruleName === "body") return this.say("`{`");
    return this.say(expected.LABEL ?? expected.name);
  }
  buildNotAllInputParsedMessage(): string {
    return this.say("a declaration (`import`, `let`, `block`, `model` or `train`)");
  }
  buildNoViableAltMessage(options: { customUserDescription?: string }): string {
    return this.say(options.customUserDescription ?? "something else");
  }
  buildEarlyExitMessage(options: { customUserDescription?: string }): string {
    return this.say(options.customUserDescription ?? "something else");
  }
}

/** What Chevrotain's recovery is made of (11.2.0, an exact dependency): its public types leave these out. */
interface Recovery {
  flattenFollowSet(): TokenType[];
  consumeToken(): void;
}

export class LipsParser extends CstParser {
  private readonly expectations: Expectations;

  /** `check`: whether the grammar is checked for ambiguities (a test does; every run need not). */
  constructor(check = false) {
    const errorMessageProvider = new Expectations();
    super(T.vocabulary as TokenType[], {
      maxLookahead: 2,
      recoveryEnabled: true,
      nodeLocationTracking: "onlyOffset",
      skipValidations: !check,
      errorMessageProvider,
    });
    this.expectations = errorMessageProvider;
    this.performSelfAnalysis();
  }

  /** The tree of the tokens, or null where there were too many mistakes to go on. */
  parse(tokens: T.Token[]): CstNode | null {
    this.expectations.count = 0;
    this.input = tokens;
    try {
      return this.file();
    } catch (error) {
      if (error instanceof TooManyMistakes) return null;
      throw error;
    }
  }

  // The layout filter has balanced all brackets. Recovery skips a bracket with all it holds, so that the end of an
  // inner body is never taken for the end of an outer one; and it never takes one of a pair away.

  findReSyncTokenType(): TokenType {
    const follows = (this as unknown as Recovery).flattenFollowSet();
    for (let k = 1; ;) {
      const token = this.LA(k) as T.Token;
      const found = follows.find((type) => tokenMatcher(token, type));
      if (found) return found;
      k += 1 + (token.toCloser ?? 0);
    }
  }

  protected override SKIP_TOKEN(): IToken {
    const count = 1 + ((this.LA(1) as T.Token).toCloser ?? 0);
    for (let i = 0; i < count && this.LA(1).tokenType !== EOF; i++)
      (this as unknown as Recovery).consumeToken();
    return this.LA(1);
  }

  protected override canTokenTypeBeDeletedInRecovery(): boolean {
    return !T.brackets.has(this.LA(1).tokenType);
  }

  readonly file = this.RULE("file", () => {
    this.OPTION(() => {
      this.CONSUME(T.Lips);
      this.CONSUME(T.Number);
      this.OPTION2(() => this.CONSUME(T.NL));
    });
    this.MANY(() => {
      this.SUBRULE(this.item);
      this.OPTION3(() => this.CONSUME2(T.NL));
    });
  });

  readonly item = this.RULE("item", () => {
    this.OR({
      DEF: [
        { ALT: () => this.SUBRULE(this.importItem) },
        { ALT: () => this.SUBRULE(this.let) },
        { ALT: () => this.SUBRULE(this.block) },
        { ALT: () => this.SUBRULE(this.model) },
        { ALT: () => this.SUBRULE(this.train) },
      ],
      ERR_MSG: "a declaration (`import`, `let`, `block`, `model` or `train`)",
    });
  });

  readonly importItem = this.RULE("importItem", () => {
    this.CONSUME(T.Import);
    this.CONSUME(T.LBrace);
    this.SUBRULE(this.importName);
    this.MANY(() => {
      this.CONSUME(T.Comma);
      this.SUBRULE2(this.importName);
    });
    this.OPTION(() => this.CONSUME2(T.Comma));
    this.CONSUME(T.RBrace);
    this.CONSUME(T.From);
    this.CONSUME(T.String);
  });

  readonly importName = this.RULE("importName", () => {
    this.CONSUME(T.Name);
    this.OPTION(() => {
      this.CONSUME(T.As);
      this.CONSUME2(T.Name, { LABEL: "as" });
    });
  });

  readonly block = this.RULE("block", () => {
    this.CONSUME(T.Block);
    this.CONSUME(T.Name);
    this.SUBRULE(this.params);
    this.CONSUME(T.Arrow);
    this.SUBRULE(this.type);
    this.SUBRULE(this.body);
  });

  readonly model = this.RULE("model", () => {
    this.CONSUME(T.Model);
    this.CONSUME(T.Name);
    this.OPTION(() => this.SUBRULE(this.params));
    this.OR({
      DEF: [
        { ALT: () => this.SUBRULE(this.body) },
        {
          ALT: () => {
            this.CONSUME(T.Assign);
            this.SUBRULE(this.expr);
            this.OPTION2(() => this.SUBRULE2(this.body));
          },
        },
      ],
      ERR_MSG: "the model's body `{ … }`, or `=` and the model it is a variant of",
    });
  });

  readonly train = this.RULE("train", () => {
    this.CONSUME(T.Train);
    this.CONSUME(T.Name);
    this.OPTION(() => this.SUBRULE(this.args));
    this.SUBRULE(this.entries);
  });

  readonly params = this.RULE("params", () => {
    this.CONSUME(T.LParen);
    this.OPTION(() => {
      this.SUBRULE(this.param);
      this.MANY(() => {
        this.CONSUME(T.Comma);
        this.SUBRULE2(this.param);
      });
      this.OPTION2(() => this.CONSUME2(T.Comma));
    });
    this.CONSUME(T.RParen);
  });

  readonly param = this.RULE("param", () => {
    this.CONSUME(T.Name);
    this.CONSUME(T.Colon);
    this.SUBRULE(this.type);
    this.OPTION(() => {
      this.CONSUME(T.Assign);
      this.SUBRULE(this.expr);
    });
  });

  readonly type = this.RULE("type", () => {
    this.OR({
      DEF: [
        { ALT: () => this.SUBRULE(this.shape) },
        {
          ALT: () => {
            this.CONSUME(T.Name);
            this.OPTION(() => {
              this.CONSUME(T.LBracket);
              this.CONSUME(T.RBracket);
            });
          },
        },
      ],
      ERR_MSG: "a type (a shape such as `[n, d]`, or `int`, `real`, `Layer`, …)",
    });
  });

  readonly shape = this.RULE("shape", () => {
    this.CONSUME(T.LBracket);
    this.SUBRULE(this.dim);
    this.MANY(() => {
      this.CONSUME(T.Comma);
      this.SUBRULE2(this.dim);
    });
    this.CONSUME(T.RBracket);
  });

  readonly dim = this.RULE("dim", () => {
    this.OR({
      DEF: [{ ALT: () => this.CONSUME(T.Ellipsis) }, { ALT: () => this.SUBRULE(this.expr) }],
      ERR_MSG: "a dimension",
    });
  });

  readonly body = this.RULE("body", () => {
    this.CONSUME(T.LBrace);
    this.OPTION(() => {
      this.SUBRULE(this.statement);
      this.MANY(() => {
        this.CONSUME(T.NL);
        this.SUBRULE2(this.statement);
      });
    });
    this.CONSUME(T.RBrace);
  });

  readonly statement = this.RULE("statement", () => {
    this.OR({
      DEF: [
        { ALT: () => this.SUBRULE(this.let) },
        { ALT: () => this.SUBRULE(this.for) },
        { ALT: () => this.SUBRULE(this.if) },
        { ALT: () => this.SUBRULE(this.weights) },
        { ALT: () => this.SUBRULE(this.inference) },
        { ALT: () => this.SUBRULE(this.certify) },
        { ALT: () => this.SUBRULE(this.inputLine) },
        { ALT: () => this.SUBRULE(this.output) },
        { ALT: () => this.SUBRULE(this.assign) },
        { ALT: () => this.SUBRULE(this.expr) },
      ],
      ERR_MSG: "a statement",
    });
  });

  readonly let = this.RULE("let", () => {
    this.CONSUME(T.Let);
    this.OR({
      DEF: [
        { ALT: () => this.CONSUME(T.Name) },
        {
          ALT: () => {
            this.CONSUME(T.LBracket);
            this.CONSUME2(T.Name, { LABEL: "element" });
            this.MANY(() => {
              this.CONSUME(T.Comma);
              this.CONSUME3(T.Name, { LABEL: "element" });
            });
            this.CONSUME(T.RBracket);
          },
        },
      ],
      ERR_MSG: "a name (`let name = …`) or a list of names (`let [a, b] = …`)",
    });
    this.OPTION(() => {
      this.CONSUME(T.Colon);
      this.SUBRULE(this.type);
    });
    this.CONSUME(T.Assign);
    this.SUBRULE(this.expr);
  });

  readonly for = this.RULE("for", () => {
    this.CONSUME(T.For);
    this.CONSUME(T.Name);
    this.CONSUME(T.In);
    this.SUBRULE(this.expr);
    this.SUBRULE(this.body);
  });

  readonly if = this.RULE("if", () => {
    this.CONSUME(T.If);
    this.SUBRULE(this.expr);
    this.SUBRULE(this.body);
    // `else if` in a row is a loop here, so that a long chain needs no deep stack.
    this.MANY(() => {
      this.CONSUME(T.Else, { LABEL: "elseIf" });
      this.CONSUME2(T.If);
      this.SUBRULE2(this.expr);
      this.SUBRULE2(this.body);
    });
    this.OPTION(() => {
      this.CONSUME2(T.Else);
      this.SUBRULE3(this.body, { LABEL: "otherwise" });
    });
  });

  readonly weights = this.RULE("weights", () => {
    this.CONSUME(T.Weights);
    this.SUBRULE(this.entries);
  });

  readonly inference = this.RULE("inference", () => {
    this.CONSUME(T.Inference);
    this.SUBRULE(this.entries);
  });

  readonly certify = this.RULE("certify", () => {
    this.CONSUME(T.Certify);
    this.OPTION(() => this.CONSUME(T.At));
    // A claim without a phase is read, and refused with better words than the parser has.
    this.OPTION2(() => {
      this.CONSUME(T.Name);
      this.CONSUME(T.Colon);
    });
    this.SUBRULE(this.expr);
  });

  readonly inputLine = this.RULE("inputLine", () => {
    this.CONSUME(T.Input);
    this.CONSUME(T.Name);
    this.CONSUME(T.Colon);
    this.SUBRULE(this.shape);
    this.OPTION(() => {
      this.CONSUME(T.In);
      this.SUBRULE(this.expr);
    });
  });

  readonly output = this.RULE("output", () => {
    this.CONSUME(T.Output);
    this.CONSUME(T.Name);
    this.CONSUME(T.Assign);
    this.SUBRULE(this.expr);
  });

  readonly assign = this.RULE("assign", () => {
    this.CONSUME(T.Name);
    this.CONSUME(T.Assign);
    this.SUBRULE(this.expr);
  });

  readonly entries = this.RULE("entries", () => {
    this.CONSUME(T.LBrace);
    this.OPTION(() => {
      this.SUBRULE(this.entry);
      this.MANY(() => {
        this.OR([{ ALT: () => this.CONSUME(T.Comma) }, { ALT: () => this.CONSUME(T.NL) }]);
        this.SUBRULE2(this.entry);
      });
      this.OPTION2(() => this.CONSUME2(T.Comma));
    });
    this.CONSUME(T.RBrace);
  });

  readonly entry = this.RULE("entry", () => {
    this.CONSUME(T.Word);
    this.OR({
      // `lr = 3`: read, and refused with the right words.
      DEF: [{ ALT: () => this.CONSUME(T.Colon) }, { ALT: () => this.CONSUME(T.Assign) }],
      ERR_MSG: "`:`",
    });
    this.SUBRULE(this.expr);
  });

  readonly args = this.RULE("args", () => {
    this.CONSUME(T.LParen);
    this.OPTION(() => {
      this.SUBRULE(this.arg);
      this.MANY(() => {
        this.CONSUME(T.Comma);
        this.SUBRULE2(this.arg);
      });
      this.OPTION2(() => this.CONSUME2(T.Comma));
    });
    this.CONSUME(T.RParen);
  });

  readonly arg = this.RULE("arg", () => {
    this.OPTION(() => {
      this.CONSUME(T.Word);
      this.OR([{ ALT: () => this.CONSUME(T.Colon) }, { ALT: () => this.CONSUME(T.Assign) }]);
    });
    this.SUBRULE(this.expr);
    this.OPTION2(() => {
      this.CONSUME(T.Arrow);
      this.SUBRULE2(this.expr);
    });
  });

  private readonly operators = T.binaryOperators.map((type) => ({
    ALT: () => this.CONSUME(type, { LABEL: "operator" }),
  }));

  /** A flat list of operands and operators; the table of precedence in src/syntax makes the tree. */
  readonly expr = this.RULE("expr", () => {
    this.SUBRULE(this.operand);
    this.MANY(() => {
      this.OR(this.operators);
      this.SUBRULE2(this.operand);
    });
  });

  readonly operand = this.RULE("operand", () => {
    this.MANY(() => {
      this.OR([
        { ALT: () => this.CONSUME(T.Minus, { LABEL: "prefix" }) },
        { ALT: () => this.CONSUME(T.Not, { LABEL: "prefix" }) },
      ]);
    });
    this.OR2({
      DEF: [
        { ALT: () => this.CONSUME(T.Number) },
        { ALT: () => this.CONSUME(T.String) },
        { ALT: () => this.CONSUME(T.True) },
        { ALT: () => this.CONSUME(T.False) },
        { ALT: () => this.CONSUME(T.Name) },
        {
          ALT: () => {
            this.CONSUME(T.LParen);
            this.SUBRULE(this.expr, { LABEL: "group" });
            this.CONSUME(T.RParen);
          },
        },
        { ALT: () => this.SUBRULE(this.list) },
      ],
      ERR_MSG: "a value",
    });
    this.MANY2(() => {
      this.OR3([
        { ALT: () => this.SUBRULE(this.args, { LABEL: "suffix" }) },
        { ALT: () => this.SUBRULE(this.index, { LABEL: "suffix" }) },
        { ALT: () => this.SUBRULE(this.member, { LABEL: "suffix" }) },
      ]);
    });
  });

  readonly index = this.RULE("index", () => {
    this.CONSUME(T.LBracket);
    this.SUBRULE(this.expr);
    this.CONSUME(T.RBracket);
  });

  readonly member = this.RULE("member", () => {
    this.CONSUME(T.Dot);
    this.CONSUME(T.Word);
  });

  readonly list = this.RULE("list", () => {
    this.CONSUME(T.LBracket);
    this.OPTION(() => {
      this.SUBRULE(this.expr);
      this.MANY(() => {
        this.CONSUME(T.Comma);
        this.SUBRULE2(this.expr);
      });
      this.OPTION2(() => this.CONSUME2(T.Comma));
    });
    this.CONSUME(T.RBracket);
  });
}

let shared: LipsParser | undefined;

/** The process's one parser: made at the first use, as its self-analysis costs some milliseconds. */
export function sharedParser(): LipsParser {
  return (shared ??= new LipsParser());
}
