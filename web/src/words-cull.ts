// The words of culling and of autopsies.
import { count } from "./words-count";

export const cull = {
  title: "Cull",
  stage: (step: string) => `Keep or reject? ${step}`,
  picture: "The picture to judge",
  left: (images: number) => `${count(images, "image")} to see`,
  kept: (images: number) => `${images} kept`,
  keep: "Keep",
  reject: "Reject",
  skip: "Skip",
  undo: "Undo",
  starsName: "Keep with stars",
  stars: (stars: number) => count(stars, "star"),
  sizes: "Images at a time",
  size: (images: number) => (images === 1 ? "One" : String(images)),
  toAutopsies: "Autopsies",
  why: "Where did it go wrong?",
  walkHint: "Nothing to find out about the last reject.",
  grid: (step: string) => `Mark the broken ones: ${step}`,
  tile: (place: number, marked: boolean, lost: boolean) => `Picture ${place}${marked ? ", marked as broken" : ""}${lost ? ". This picture can't be shown" : ""}`,
  marked: "broken",
  lost: "This picture can't be shown",
  next: (marked: number, kept: number) => (marked === 0 ? `Keep ${kept}` : `Reject ${marked}, keep ${kept}`),
  swept: (marked: number, kept: number) => `Rejected ${marked}, kept ${kept}.`,
  done: "Nothing left to cull",
  doneWhy: "Every image here was kept, rejected or voted on. More come as soon as the generator has made them.",
  toVote: "Vote",
  allRuns: "Cull in all runs",
  failed: "The images can't be loaded",
  offline: "No more images until the hub answers.",
  elsewhere: "One of these was rejected elsewhere.",
};

export const autopsies = {
  title: "Autopsies",
  intro: "Rejected images whose cause nobody has looked for, by what most of them come from.",
  empty: "Nothing to find out",
  emptyWhy: "What you reject without saying where it went wrong is collected here.",
  group: (rejected: number, waiting: number, step: string, made: number) =>
    `${rejected} of ${waiting} rejected ${waiting === 1 ? "comes" : "come"} from this ${step} image, which has ${made}.`,
  ancestor: (step: string) => `The ${step} image they come from`,
  open: (step: string) => `Where did this ${step} image go wrong?`,
  failed: "The rejected images can't be loaded",
};
