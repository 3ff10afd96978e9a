// The words of the box that ends the useful pairs.
import { count } from "./words-count";

export const steady = {
  title: (top: number, step: string) => `Top ${top} of ${step} is steady`,
  why: "More votes here would hardly change who goes on.",
  review: "Review and approve",
  next: (step: string) => `Go on with ${step}`,
  nextWhy: (step: string, images: number, run: string | null) => `${step}${run === null ? "" : ` of ${run}`} has ${count(images, "image")} without your vote.`,
  stay: "Keep voting",
  stayWhy: (step: string) => `Or go on comparing images of ${step}.`,
};
