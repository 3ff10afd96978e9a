// The words of gates and of a run's own page. They stand apart from words.ts because Vote loads
// that one and has no use for these.
import type { FinishLine } from "./api/types";
import type { Pin } from "./lib/gate";

const count = (number: number, one: string, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** How long something takes, rounded as one would say it. */
export function duration(seconds: number): string {
  if (seconds < 1) return "under 1 s";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h${minutes % 60 ? ` ${minutes % 60} min` : ""}`;
}

export function size(bytes: number): string {
  const units = ["bytes", "KB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** Nothing that is drawn is certain, and nothing is told to more than a percent. */
const percent = (chance: number) => `${Math.min(99, Math.max(1, Math.round(chance * 100)))} %`;
const servers = (number: number) => count(number, "server");
const measured = (seconds: number | null, bytes: number | null, on: number) => [
  ...(seconds === null ? [] : [`about ${duration(seconds)} on ${servers(Math.max(1, on))}`]),
  ...(bytes === null ? [] : [`about ${size(bytes)}`]),
];

const pins: Record<NonNullable<Pin> | "none", string> = { always: "always advances", never: "never advances", none: "goes by rank" };

export const wordsOfGates = {
  title: (step: string, next: string | null) => (next === null ? `${step}: which ones win?` : `${step}: who goes on to ${next}?`),
  advance: "Advance",
  fewer: "One fewer",
  more: "One more",
  range: (max: number) => `1 to ${max}`,
  sliderText: (through: number, all: number, jobs: number, next: string | null) =>
    `${through} of ${all} ${next === null ? "win" : "advance"}${next === null || jobs === 0 ? "" : `, ${count(jobs, `${next} job`)}`}`,
  gap: (k: number) => `Widest gap in ratings nearby: after ${k}`,
  will: (number: number) => `Will advance: ${number}`,
  willNot: (number: number) => `Will not advance: ${number}`,
  win: (number: number) => `Winners: ${number}`,
  winNot: (number: number) => `Not chosen: ${number}`,
  cut: "Drag to move the cut",
  images: "Images in ranking order",
  imagesHow: "Left and right move from image to image. Enter or a click changes the pin: by rank, always, never.",
  rank: (rank: number) => `${rank}`,
  elo: (elo: number) => `${Math.round(elo)}`,
  votes: (votes: number) => count(votes, "vote"),
  votesShort: (votes: number) => `n${votes}`,
  pins,
  pinsShort: { always: "always", never: "never" },
  pinned: (rank: number, pin: Pin) => `Rank ${rank} ${pins[pin ?? "none"]}.`,
  enters: "enters",
  leaves: "leaves",
  card: (image: { rank: number; elo: number; votes: number; pin: Pin }, name: string, base: string, inside: boolean, moves: string) =>
    [`Rank ${image.rank}, ${name}`, inside ? "will advance" : "will not advance", ...(moves ? [moves] : []), `rating ${Math.round(image.elo)}`, count(image.votes, "vote"), `from ${base}`, pins[image.pin ?? "none"]].join(", "),
  doubts: ["This is close to a guess.", "Rankings may change.", "A few more votes would make it steadier."] as const,
  few: (few: number, all: number, limit: number) => (few === 0 ? "" : `${few} of ${all} ${few === 1 ? "has" : "have"} under ${limit} votes.`),
  settled: ({ top, settled, votes }: FinishLine) =>
    `That ${top === 1 ? "this is the best" : `these are the best ${top}`} is ${percent(settled)} sure by the votes${votes ? `; about ${count(votes, "vote")} on the pairs that decide would make it 90 %` : ""}.`,
  chance: percent,
  chanceOf: (chance: number) => `chance to be among them ${percent(chance)}`,
  believed: "Believed",
  believedAs: (mean: number, spread: number) => `${Math.round(mean)} ± ${Math.round(spread)}`,
  voteMore: "Vote more",
  voteDeciding: "Vote the pairs that decide",
  mainBase: (number: number, through: number, base: string, bases: number) =>
    bases === 1 && through > 1 ? `All ${through} come from ${base}.` : number > 1 ? `${number} of ${through} come from ${base}.` : `Each comes from another base image.`,
  perBase: (base: string) => `At most, per ${base}`,
  anyNumber: "any number",
  cost: (through: number, each: number, jobs: number, next: string, seconds: number | null, bytes: number | null, on: number) =>
    [
      jobs === 0 ? `No new ${next} jobs: all are made` : jobs === through * each ? `${through} \u00d7 ${each} = ${count(jobs, `${next} job`)}` : `${count(jobs, `${next} job`)} still to make of ${through} \u00d7 ${each}`,
      ...(jobs === 0 ? [] : seconds === null ? ["time not measured yet"] : []),
      ...(jobs === 0 ? [] : measured(seconds, bytes, on)),
    ].join(", ") + ".",
  completes: "This names the winners and completes the run.",
  all: (number: number) => (number === 1 ? "The only one alive advances." : `All ${number} alive advance.`),
  capped: (through: number, k: number) => `Only ${through} of ${k}: the limit per base image and the pins leave no more.`,
  overPinned: (pinned: number) => `${pinned} are pinned to advance, and all of them do.`,
  tie: { votes: "Same rating at the cut: the one with more votes went first.", age: "Same rating at the cut: the older image went first." },
  empty: (places: number) => `${count(places, "image")} of the present set ${places === 1 ? "was" : "were"} killed since; ${places === 1 ? "its place stays" : "their places stay"} empty until you advance again.`,
  change: (enter: number, leave: number) =>
    enter === 0 && leave === 0 ? "Nobody would enter or leave: it is the present set." : [enter > 0 ? `${enter} would enter` : "", leave > 0 ? `${leave} would leave` : ""].filter(Boolean).join(", ") + ".",
  stranded: (images: number) => `${count(images, "image")} already made from ${images === 1 ? "it" : "those"} stay${images === 1 ? "s" : ""}, and nothing more is made of ${images === 1 ? "it" : "them"}.`,
  early: (why: string) => `Early: ${why}`,
  submit: (number: number) => `Advance ${number}`,
  submitWin: (number: number) => (number === 1 ? "Name 1 winner" : `Name ${number} winners`),
  cancel: "Cancel",
  offline: "This needs the server, which does not answer.",
  nobody: "No live image here yet",
  nobodyWhy: "As soon as this step has made one, you can decide here.",
  auto: "This step has no gate: all of its images advance.",
  blocked: "The step before is not approved yet.",
  archived: "The run is archived; take it out of the archive first.",
  decided: (by: string | null, at: string | null) => (at === null ? "The gate was opened again elsewhere while you looked." : `${by ?? "The gate itself"} approved this at ${at}, while you looked.`),
  lookAgain: "Look again",
  news: (came: number, went: number) =>
    came === 0 && went === 0 ? "The ratings have moved." : [came > 0 ? `${count(came, "new image")} came in` : "", went > 0 ? `${count(went, "image")} ${went === 1 ? "was" : "were"} rejected` : ""].filter(Boolean).join(", ") + ".",
  show: "Show",
  provisional: "Passed by itself",
  confirm: "Confirm",
  revise: "Revise",
  reopen: "Reopen",
  other: "None of these",
  stop: "Pause this run",
  startsIn: (seconds: number) => `starts in ${seconds} s`,
  startNow: "Start now",
  undo: "Undo",
  preview: "Preview approval",
  approveAgain: "Approve again",
};

export const wordsOfRuns = {
  edit: "Edit",
  copy: "Copy",
  copyName: (name: string) => `${name}, copy`,
  save: "Save",
  cancel: "Cancel",
  steps: "Steps",
  made: "made",
  madeOf: (made: number, planned: number | null) => (planned === null ? `${made}` : `${made} / ${planned}`),
  lift: "worth",
  liftWhy: "how often you chose the image with this step over the one without; the same counts half",
  liftOf: (share: number, low: number, high: number, pairs: number) =>
    `${Math.round(share * 100)} % better with it (${Math.round(low * 100)} to ${Math.round(high * 100)} %) in ${pairs === 1 ? "1 pair" : `${pairs} pairs`}`,
  madeWhy: "images made of those planned",
  wentOn: (number: number) => (number === 1 ? "1 goes on" : `${number} go on`),
  allGoOn: "all go on",
  rejected: (number: number) => `${number} rejected`,
  underWay: (number: number) => `${number} under way`,
  parked: (number: number) => `${number} parked after failures`,
  best: (step: string) => `Best of ${step}`,
  none: "No images yet",
  image: (rank: number, step: string, elo: number, votes: number) => `${step}, rank ${rank}, rating ${Math.round(elo)}, ${count(votes, "vote")}`,
  ahead: "What may come next",
  aheadHint: "One draw of many, as if nobody voted and no job failed. Each vote changes it.",
  aheadNone: "No job can begin now.",
  aheadFailed: "The list can't be made now. Close it and open it again.",
  fromNew: (place: number) => `from the image of line ${place}`,
  soFar: "So far",
  toCome: "Still to come",
  total: "In all",
  cost: (jobs: number, seconds: number | null, bytes: number | null, on: number) => [count(jobs, "image"), ...(seconds === null && jobs > 0 ? ["time not measured yet"] : []), ...(jobs > 0 ? measured(seconds, bytes, on) : [])].join(", "),
  costSpent: (jobs: number, seconds: number | null, bytes: number | null) =>
    [count(jobs, "image"), ...(seconds === null || jobs === 0 ? [] : [`about ${duration(seconds)} of rendering`]), ...(bytes === null || jobs === 0 ? [] : [`about ${size(bytes)}`])].join(", "),
  passed: "Passed by itself while you were away",
  passedKeys: "Confirm takes it as it is. Revise shows what another choice would cost.",
  rating: "Rating",
  ratings: { elo: "Elo", tree: "Tree" } as Record<string, string>,
  ratingHint: {
    elo: "Pairs of close ratings; gates rank by Elo.",
    tree: "Pairs that settle the coming gate; gates rank by what all votes say of an image and its family.",
  } as Record<string, string>,
  ratingOther: "From an installed package.",
  policy: "Next job",
  policies: { right_to_left: "Right to left", adaptive: "Adaptive" } as Record<string, string>,
  policyHint: {
    right_to_left: "What is furthest right goes on first; a raffle by rating decides among those.",
    adaptive: "Whatever is likeliest to make the best finished images better, for its time. Your votes steer it.",
  } as Record<string, string>,
  numbers: "Numbers",
  children: "Children per image (N)",
  childrenHint: "How many images are made from each one. Steps with a number of their own keep it.",
  target: "Finished candidates wanted (T)",
  targetHint: "The run works until this many live images are at the last step.",
  base: "Base images first",
  baseHint: "A run with gates makes this many first images, then waits.",
  priority: "Priority",
  priorityHint: "Higher goes first when several runs have work.",
  name: "Name",
  prompt: "Prompt",
  negative: "What to avoid",
  pipeline: "Pipeline",
  variables: "Variables",
  variablesHint: "Values that the workflows take from the run, such as width, height or denoise.",
  variable: "Name",
  value: "Value",
  addVariable: "Add a variable",
  removeVariable: (name: string) => `Remove ${name || "this variable"}`,
  waiting: "Gates that may open by themselves",
  waitingHint: "They let their usual number through when nobody acts, and keep a note for you to confirm or revise.",
  wait: "Wait for me, minutes",
  waitHint: "Empty: for ever.",
  night: "Not at all between",
  nightFrom: "Night begins",
  nightUntil: "Night ends",
  zone: "Time zone",
  howMany: "How many images will this make?",
  goOn: (step: string) => `Go on after ${step} (K)`,
  goOnHint: "For this estimate; you choose K at each gate.",
  gateOf: (k: number) => `best ${k}`,
  everyone: "all",
  funnel: (parts: string) => `Planned images: ${parts}`,
  part: (name: string, images: number) => `${name} ${images}`,
  noEstimate: "No estimate: a number is missing or too large.",
  untried: "Never tried",
  untriedWhy: "A workflow that fails costs the night. One test run of each step shows that it works.",
  tryStep: (step: string) => `Try ${step}`,
  startUntried: "Start without test runs",
  start: "Start the run",
  title: "New run",
};
