// The worst of four: groups of four come ahead of their showing, and a key that names the worst
// shows the next group at once. What is done goes to the outbox like any vote.
import { api } from "../api/client";
import type { Act, ActResult, FoursAnswer, Shown } from "../api/types";
import { KEPT, type Entry, type Judge } from "./judge.svelte";
import { GAP, fit, type Box, type Size } from "./layout";
import { live } from "./live.svelte";
import { afterPaint, every } from "./page.svelte";
import { prefetch } from "./pictures";
import { toasts } from "./toasts.svelte";
import { words } from "../words";
import { fours as texts } from "../words-fours";

/** One showing of four images. */
export class Group {
  /** When all four were painted, in milliseconds of the page's own clock. */
  shownAt = $state<number | null>(null);
  /** One of the pictures can't be shown: then no worst can be named, but one killed. */
  broken = false;
  #painted = new Set<number>();

  constructor(
    readonly serial: number,
    readonly images: readonly Shown[],
  ) {}

  /** All four pictures can be painted without a wait. */
  get painted(): boolean {
    return this.#painted.size === this.images.length;
  }

  ready(image: Shown): void {
    this.#painted.add(image.id);
  }
}

export type FoursState = { name: "loading" } | { name: "ready" } | { name: "done" } | { name: "failed"; problem: Error };

/** Groups asked for at a time. */
const BATCH = 5;
/** Fewer at hand than this, and more are fetched. */
const LOW = 3;
/** A press sooner after the paint than this is a bouncing key, in milliseconds. */
const BOUNCE = 150;
/** How often an empty screen looks again by itself, in milliseconds. */
const LOOK = 5000;

export class Fours {
  queue = $state.raw<readonly Group[]>([]);
  state = $state.raw<FoursState>({ name: "loading" });
  /** The column, as the hub last said. */
  place = $state.raw<{ runName: string; stepName: string; remaining: number } | null>(null);
  lastKill = $state.raw<string | null>(null);
  #choice: { run: number | null; step: number | null } = { run: null, step: null };
  #done = new Map<string, Group>();
  #serial = 0;
  #asked = 0;
  #busy = false;

  constructor(readonly judge: Judge) {}

  /** Begins to listen; the page shows the screen. Gives the way to stop. */
  open(choice: { run: number | null; step: number | null }): () => void {
    this.#choice = choice;
    this.renew();
    const stops = [
      this.judge.onAnswer((act, result) => this.#answered(act, result)),
      this.judge.onTurn((entry, undone) => this.#turned(entry, undone)),
      this.judge.onElsewhere((act) => act.kind === "worst" && this.#withdraw(act.images)),
      live.on("rated", ({ act, pairs = [] }) => pairs.length > 1 && this.judge.isForeign(act) && this.#withdraw(pairs.flatMap((key) => key.split("-").map(Number)))),
      live.on("candidate_made", () => this.#look()),
      live.on("candidate_rejected", () => void this.#sift()),
      live.on("resync", () => this.renew()),
      every(LOOK, () => this.#look()),
    ];
    return () => stops.forEach((stop) => stop());
  }

  get current(): Group | null {
    return this.queue[0] ?? null;
  }

  worst(place: number): void {
    const group = this.#ready();
    const image = group?.images[place];
    if (!group || !image) return;
    const shown_ms = Math.min(Math.round(performance.now() - (group.shownAt ?? 0)), 2 ** 31);
    const [a, b, c, d] = group.images.map((each) => each.id) as [number, number, number, number];
    const id = this.judge.act({ kind: "worst", worst: image.id, images: [a, b, c, d], shown_ms }, { shown: image });
    this.#settle(id, group);
  }

  /** Kills one; the three others come again. */
  kill(place: number): void {
    const group = this.current?.broken ? this.current : this.#ready();
    const image = group?.images[place];
    if (!group || !image) return;
    const id = this.judge.act({ kind: "kill", candidate: image.id }, { shown: image });
    this.lastKill = id;
    this.#settle(id, group);
  }

  /** Puts the group behind those at hand. */
  skip(): void {
    const [group, ...rest] = this.queue;
    if (!group) return;
    group.shownAt = null;
    this.queue = [...rest, group];
    this.#ahead();
  }

  /** The picture of an image of a group can be painted. */
  ready(group: Group, image: Shown): void {
    group.ready(image);
    if (group === this.current && group.painted) this.#stamp(group);
  }

  /** Forgets what is at hand and asks anew. */
  renew(): void {
    this.#asked += 1;
    this.#busy = false;
    this.queue = [];
    this.state = { name: "loading" };
    void this.#fill();
  }

  #ready(): Group | null {
    const group = this.current;
    if (!group || group.shownAt === null) return null;
    return performance.now() - group.shownAt < BOUNCE ? null : group;
  }

  #stamp(group: Group): void {
    afterPaint(() => {
      if (group === this.current) group.shownAt ??= performance.now();
    });
  }

  #settle(id: string, group: Group): void {
    this.#done.set(id, group);
    for (const [oldest] of this.#done) if (this.#done.size > KEPT) this.#done.delete(oldest);
    this.queue = this.queue.filter((each) => each !== group);
    this.#ahead();
  }

  #turned(entry: Entry, undone: boolean): void {
    const group = this.#done.get(entry.id);
    if (!group) return;
    if (undone) this.#bring(group.images);
    else this.queue = this.queue.filter((each) => !shares(each.images, group.images));
    this.#ahead();
  }

  /** Shows these four next; other groups at hand give way where they share an image. */
  #bring(images: readonly Shown[]): void {
    const others = this.queue.filter((each) => !shares(each.images, images));
    this.queue = [this.#group(images), ...others];
    this.state = { name: "ready" };
  }

  #answered(act: Act, result: ActResult): void {
    const undone = result.undone;
    // What was done before a reload or elsewhere is not known here; the hub has it as it stood.
    if (act.kind === "undo" && undone && undone.four.length > 0 && !this.#done.has(undone.act_id)) this.#bring(undone.four);
    if (act.kind === "walk" && result.rejected) void this.#sift();
    if (!result.ok && act.kind === "worst") toasts.show(words.history.refused(result.problem?.detail ?? ""));
  }

  /** Another tab or device has judged these: no group here that holds one of them is shown. */
  #withdraw(ids: readonly number[]): void {
    const before = this.current;
    this.queue = this.queue.filter((group) => !group.images.some((image) => ids.includes(image.id)));
    if (before !== this.current) toasts.hint(texts.judgedElsewhere);
    this.#ahead();
  }

  #look(): void {
    if (this.queue.length < LOW) void this.#fill();
  }

  /** Takes away groups with an image that was rejected, here or elsewhere. */
  async #sift(): Promise<void> {
    const ids = this.queue.slice(0, LOW).flatMap((group) => group.images.map((image) => image.id));
    const dead = await this.judge.rejectedOf(ids);
    const before = this.current;
    this.queue = this.queue.filter((group) => !group.images.some((image) => dead.has(image.id)));
    if (before && before !== this.current) toasts.show(texts.elsewhere);
    this.#ahead();
  }

  #ahead(): void {
    this.#prepare();
    this.#look();
  }

  async #fill(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    const asked = this.#asked;
    try {
      const answer = await api.fours({ ...this.#choice, count: BATCH, exclude: this.#exclude() });
      if (asked === this.#asked) this.#receive(answer);
    } catch (fault) {
      if (asked === this.#asked && this.queue.length === 0) this.state = { name: "failed", problem: fault as Error };
    } finally {
      if (asked === this.#asked) this.#busy = false;
    }
  }

  /** Images at hand, and those whose vote the hub does not know yet. */
  #exclude(): string {
    const unsent = this.judge.outbox.waiting.flatMap(({ act }) => (act.kind === "worst" ? act.images : act.kind === "kill" ? [act.candidate] : []));
    const held = this.queue.flatMap((group) => group.images.map((image) => image.id));
    return [...new Set([...held, ...unsent])].slice(0, 200).join(",");
  }

  #receive(answer: FoursAnswer): void {
    const { run, step } = answer;
    if (run && step) this.place = { runName: run.name, stepName: step.name, remaining: answer.remaining };
    // A vote may have gone out while the answer was on its way.
    const held = new Set(this.#exclude().split(",").filter(Boolean).map(Number));
    const fresh = answer.groups.filter((group) => !group.some((image) => held.has(image.id)));
    this.queue = [...this.queue, ...fresh.map((images) => this.#group(images))];
    this.state = { name: this.queue.length > 0 ? "ready" : "done" };
    this.#prepare();
  }

  #group(images: readonly Shown[]): Group {
    this.#serial += 1;
    return new Group(this.#serial, images);
  }

  #prepare(): void {
    const hashes = this.queue.slice(0, LOW).flatMap((group) => group.images.map((image) => image.picture.hash));
    prefetch(hashes, hashes);
    const { current } = this;
    if (current && current.shownAt === null && current.painted) this.#stamp(current);
  }
}

function shares(one: readonly Shown[], other: readonly Shown[]): boolean {
  return one.some((image) => other.some((each) => each.id === image.id));
}

/** Boxes for four pictures of one shape, in a row or in two rows, whichever shows more of them; the
 * strip below each box touches the picture. */
export function quarters(stage: Size, picture: Size, strip: number): Box[] {
  const cells = (across: number) => {
    const down = 4 / across;
    const width = (stage.width - GAP * (across - 1)) / across;
    const most = (stage.height - GAP * (down - 1)) / down - strip;
    const { height } = fit(picture, { width, height: most });
    const top = ((most - height) * down) / 2;
    return Array.from({ length: 4 }, (_, place) => ({
      x: (place % across) * (width + GAP),
      y: top + Math.floor(place / across) * (height + strip + GAP),
      width,
      height,
    }));
  };
  const shown = (boxes: Box[]) => boxes[0]?.height ?? 0;
  const [row, square] = [cells(4), cells(2)];
  return shown(row) > shown(square) ? row : square;
}
