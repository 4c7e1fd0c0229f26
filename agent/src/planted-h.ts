import * as planted from 'typeorm';
export const used = planted;
