// Shell scripts, which the bundler puts into the executable as texts.

declare module "*.bash" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: this is how the bundler hands over a text.
  export default text;
}

declare module "*.zsh" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: this is how the bundler hands over a text.
  export default text;
}

declare module "*.fish" {
  const text: string;
  // biome-ignore lint/style/noDefaultExport: this is how the bundler hands over a text.
  export default text;
}
