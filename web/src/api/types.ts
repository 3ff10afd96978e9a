// The hub's shapes under short names; they are generated from docs/openapi.json.
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Act =
  | Schemas["VoteAct"]
  | Schemas["TieAct"]
  | Schemas["WorstAct"]
  | Schemas["SkipAct"]
  | Schemas["KillAct"]
  | Schemas["KillBothAct"]
  | Schemas["WalkAct"]
  | Schemas["KeepAct"]
  | Schemas["UndoAct"]
  | Schemas["RedoAct"];
/** What is decided at a gate: it needs the hub's answer, so it does not wait in the outbox. */
export type GateAct = Schemas["ApproveAct"] | Schemas["ReopenAct"] | Schemas["ConfirmAct"] | Schemas["PinAct"];
export type ActKind = Schemas["ActKind"];
export type ActResult = Schemas["ActResult"];
export type Backend = Schemas["Backend"];
export type BindingChoice = Schemas["BindingChoice"];
export type Candidate = Schemas["Candidate"];
export type CandidateTable = Schemas["CandidateTable"];
export type Card = Schemas["Card"];
export type Column = Schemas["Column"];
export type AutopsyGroup = Schemas["AutopsyGroup"];
export type CullAnswer = Schemas["Cull"];
export type DeckAnswer = Schemas["Deck"];
export type FailureGroup = Schemas["FailureGroup"];
export type Finding = Schemas["Finding"];
/** As the deck tells it, and as events tell how it moved. */
export type FinishLine = Pick<Schemas["Settled"], "run_id" | "step_id" | "top" | "settled" | "steady" | "votes">;
export type DraftToForesee = Schemas["DraftToForesee"];
export type SketchedStep = Schemas["SketchedStep"];
export type ForecastToMake = Schemas["ForecastToMake"];
export type FoundBinding = Schemas["FoundBinding"];
export type FoursAnswer = Schemas["Fours"];
export type Gate = Schemas["Gate"];
export type GateOdds = Schemas["GateOdds"];
export type GateKind = Schemas["GateKind"];
export type Inspection = Schemas["Inspection"];
export type JobSummary = Schemas["JobSummary"];
export type NewPipeline = Schemas["NewPipeline"];
export type NewRun = Schemas["NewRun"];
export type Pair = Schemas["Pair"];
export type PastAct = Schemas["PastAct"];
export type Pipeline = Schemas["Pipeline"];
export type PipelineChecks = Schemas["PipelineChecks"];
export type PipelineDetail = Schemas["PipelineDetail"];
export type Placed = Schemas["Placed"];
export type PlannedJob = Schemas["PlannedJob"];
export type PlannedStep = Schemas["PlannedStep"];
export type Problem = Schemas["Problem"];
export type Region = number[];
export type Role = Schemas["Role"];
export type Run = Schemas["Run"];
export type RunChange = Schemas["RunChange"];
export type RunSummary = Schemas["RunSummary"];
export type ServerAnswer = Schemas["ServerAnswer"];
export type Shown = Schemas["Shown"];
export type Status = Schemas["Status"];
export type Step = Schemas["Step"];
export type StepCheck = Schemas["StepCheck"];
export type StepDetail = Schemas["StepDetail"];
export type StepIssue = Schemas["StepIssue"];
export type StepLift = Schemas["StepLift"];
export type StreamEvent = Schemas["StreamEvent"];
export type Sure = Schemas["Sure"];
export type Trial = Schemas["Trial"];
export type TrialState = Schemas["State"];
export type TrialToStart = Partial<Schemas["TrialToStart"]>;
export type WaitingTime = Schemas["WaitingTime"];
export type Walk = Schemas["Walk"];
export type WalkAnswer = Schemas["WalkAnswer"];
