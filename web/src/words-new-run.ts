// The words of the screen on which a run is begun.
export const newRun = {
  title: "New run",
  start: "Start the run",
  noPipelines: "No pipeline yet",
  noPipelinesWhy: "A pipeline is a list of ComfyUI workflows, one for each step. Make one on the Pipelines screen.",
  namePlaceholder: "Beach shoot",
  hint: { children: "How many images are made from each one at most.", target: "The run works until this many live images are at the last step.", base: "A run with gates makes this many first images, then waits." },
  more: "Numbers",
};
