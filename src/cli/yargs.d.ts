// The part of yargs that help.ts uses, which comes without types.

declare module "yargs" {
  export type YargsOption = {
    readonly alias?: string;
    readonly boolean?: boolean;
    readonly string?: boolean;
    readonly number?: boolean;
    readonly array?: boolean;
    readonly requiresArg?: boolean;
    readonly default?: string | number;
    readonly hidden?: boolean;
    readonly describe: string;
  };

  export type Yargs = {
    scriptName(name: string): Yargs;
    locale(name: string): Yargs;
    updateStrings(strings: Readonly<Record<string, string>>): Yargs;
    wrap(columns: number | null): Yargs;
    help(enabled: boolean): Yargs;
    version(enabled: boolean): Yargs;
    exitProcess(enabled: boolean): Yargs;
    usage(text: null): Yargs;
    option(name: string, option: YargsOption): Yargs;
    command(name: string, describe: string): Yargs;
    getHelp(): Promise<string>;
  };

  function yargs(argv: readonly string[]): Yargs;

  // biome-ignore lint/style/noDefaultExport: this is how the package exports it.
  export { yargs as default };
}
