/** The version of the page and of the program. */
declare const __VERSION__: string;
