// The words of naming the worst of four.
import { count } from "./words-count";

export const fours = {
  title: "Vote",
  question: "Which is the worst?",
  stage: (step: string) => `Which is the worst? ${step}`,
  left: (images: number) => `${count(images, "image")} to see`,
  picture: (place: number) => `Picture ${place}`,
  worst: "Worst",
  worstOf: (place: number) => `Picture ${place} is the worst`,
  kill: (place: number) => `Kill picture ${place}`,
  skip: "Skip",
  undo: "Undo",
  why: "Where did it go wrong?",
  walkHint: "Nothing to find out about the last kill.",
  pairs: "Vote on pairs",
  all: "Vote in all runs",
  done: "No four images are left to choose from",
  doneWhy: "Every image here has your vote, or its step has fewer than four. Pairs tell the good ones apart.",
  elsewhere: "Those four went: one of them was rejected elsewhere.",
  judgedElsewhere: "Those four went: you have judged one of them elsewhere.",
  failed: "The images can't be loaded",
  offline: "No more images until the hub answers.",
};
