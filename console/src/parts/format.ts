/** Numbers, times and ids as people read them. */

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const short = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export function number(value: number): string {
  return plain.format(value);
}

/** Formats a share: 0.5 is 50 %. */
export function percent(share: number): string {
  return `${short.format(share * 100)} %`;
}

export function money(usd: number | null): string {
  if (usd === null) return "–";
  const digits = usd !== 0 && Math.abs(usd) < 0.01 ? 6 : 2;
  return `$${usd.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: digits })}`;
}

export function ms(value: number): string {
  return value < 1000 ? `${Math.round(value)} ms` : seconds(value / 1000);
}

export function seconds(value: number): string {
  if (value < 60) return `${short.format(value)} s`;
  const whole = Math.round(value);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let size = value;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${short.format(size)} ${units[unit]}`;
}

export function shortId(id: string): string {
  return id.slice(0, 8);
}
