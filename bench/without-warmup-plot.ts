/** The picture of bench/without-warmup.ts: accuracy against learning rate, a line for each model, a dot for each seed. */
import type { Run } from "./without-warmup.ts";

const colours: Record<string, string> = {
  LipsFormer: "#0b6e4f",
  PreNormVit: "#c05f00",
  PostNormVit: "#7a3b9d",
};

export async function plotRuns(runs: readonly Run[]): Promise<string> {
  const { init } = await import("echarts");
  const chart = init(null, null, { renderer: "svg", ssr: true, width: 720, height: 440 });
  const models = [...new Set(runs.map((r) => r.model))];
  const percent = (r: Run): number => (r.accuracy === null ? 0 : 100 * r.accuracy);
  const mean = (model: string): [number, number][] =>
    [...new Set(runs.map((r) => r.lr))]
      .sort((a, b) => a - b)
      .map((lr) => {
        const mine = runs.filter((r) => r.model === model && r.lr === lr).map(percent);
        return [lr, mine.reduce((a, b) => a + b, 0) / mine.length];
      });
  chart.setOption({
    animation: false,
    backgroundColor: "#ffffff",
    title: {
      text: "Without warmup: test accuracy after 2 epochs",
      subtext: "mean (line) and every seed (dots); diverged runs count as 0 %; chance is 10 %",
      left: 16,
    },
    legend: { top: 16, right: 24, orient: "vertical", data: models },
    grid: { left: 64, right: 24, top: 96, bottom: 56 },
    xAxis: {
      type: "log",
      name: "learning rate",
      nameLocation: "middle",
      nameGap: 32,
      min: 4e-4,
      max: 1.25e-2,
      axisLabel: { showMinLabel: false, showMaxLabel: false },
    },
    yAxis: { type: "value", name: "accuracy, %", min: 0, max: 100 },
    series: models.flatMap((model) => [
      {
        name: model,
        type: "line",
        data: mean(model),
        color: colours[model],
        symbol: "none",
        lineStyle: { width: 3 },
      },
      {
        name: model,
        type: "scatter",
        data: runs.filter((r) => r.model === model).map((r) => [r.lr, percent(r)]),
        color: colours[model],
        symbolSize: 8,
      },
    ]),
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
