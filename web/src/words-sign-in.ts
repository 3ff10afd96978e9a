// The words of the question for the hub's token.
export const signIn = {
  enter: "Sign in",
  title: "This hub asks for a token",
  why: "The hub was started with a token. Paste it here; this browser keeps you signed in. Nothing you have done is lost.",
  wrong: "The hub does not know this token.",
};
