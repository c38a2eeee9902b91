// The load of truths.py for k6: arrivals at equal gaps.
import http from "k6/http";

export const options = {
  summaryTrendStats: ["med", "p(99)"],
  scenarios: {
    load: {
      executor: "constant-arrival-rate",
      rate: Number(__ENV.RATE),
      timeUnit: "1s",
      duration: `${__ENV.SECONDS}s`,
      preAllocatedVUs: Number(__ENV.VUS),
      maxVUs: 1000,
    },
  },
};

export default function () {
  http.get(__ENV.URL);
}
