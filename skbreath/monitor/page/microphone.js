"use strict";
// Cuts the sound of the microphone into blocks of 0.1 s of 16-bit samples.
class Microphone extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Int16Array(Math.round(sampleRate / 10));
    this.filled = 0;
    this.port.onmessage = () => { this.post(); this.port.postMessage(null); this.ended = true; };
  }

  post() {
    const block = this.block.slice(0, this.filled);
    this.filled = 0;
    this.port.postMessage(block, [block.buffer]);
  }

  process([channels]) {
    if (this.ended) return false;
    // A microphone that is missing for a moment is silence, so that time goes on.
    const length = channels.length ? channels[0].length : 128;
    for (let i = 0; i < length; i++) {
      let value = 0;
      for (const channel of channels) value += channel[i] / channels.length;
      this.block[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(value * 32768)));
      if (this.filled === this.block.length) this.post();
    }
    return true;
  }
}
registerProcessor("microphone", Microphone);
