// What the site is about: the platforms, and the main line, the branch whose state is the project's.

export const PLATFORMS = ["linux", "windows"];

export function platformName(platform) {
  return { linux: "Linux", windows: "Windows" }[platform] ?? platform ?? "unknown platform";
}

export function mainLine() {
  const { repository, branch } = document.body.dataset;
  return { repository, branch };
}

/** Whether a run, or the commit of one, is of the main line. */
export function onMainLine(run) {
  const { repository, branch } = mainLine();
  return run.pr_number === null && run.branch === branch && run.repository === repository;
}
